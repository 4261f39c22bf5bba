/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words for every failure. One sentence each: the cause, and the server or file it is about.
 *
 * Pure. `text` of a failure comes from the engine, which may have been taken over by a server: it
 * is already escaped and cut (status.c), and only ever inserted into a sentence, never interpreted.
 *
 * What NetworkManager 1.42 shows of a failure (read in its source, nm-vpn-connection.c and nmcli):
 *  - an error returned by Connect is logged with its message; nmcli prints the fixed text "The VPN
 * service failed to start";
 *  - the signal Failure carries a number only: LOGIN_FAILED -> "Invalid secrets", BAD_IP_CONFIG ->
 * "The VPN service returned invalid configuration", CONNECT_FAILED -> "Unknown reason";
 *  - the message of SecretsRequired is the only text of ours that a person sees (nmcli with and
 * without --ask, GNOME, Plasma);
 *  - LoginBanner is not listened to; the banner in Config is only read after success;
 *  - nmcli ends with a hint to `journalctl NM_CONNECTION=UUID`, so the sentence is logged with that
 * field (log.c). */
#include "service/failure.h"
#include "helper/core/cipher-names.h"
#include "helper/core/lease.h"
#include <glib/gi18n-lib.h>

static const char *proto_name(const NmOvpnFailureContext *c)
{
  return c->proto == OVPN_PROTO_TCP ? "TCP" : "UDP";
}

static const char *file_name(const NmOvpnFailureContext *c, OvpnFileId id)
{
  const OvpnFile *f = c->config ? &c->config->files[id] : NULL;
  return f && f->name && !f->is_inline ? f->name : NULL;
}

/* "sentence: detail" when there is a detail, else "sentence." */
static char *with_detail(const char *sentence, const char *detail)
{
  /* TRANSLATORS: a sentence, and the detail that the server or the system gave for it */
  const char *both = _("%s: %s");
  /* TRANSLATORS: a sentence that still needs its full stop */
  const char *alone = _("%s.");
  return detail && *detail ? g_strdup_printf(both, sentence, detail)
                           : g_strdup_printf(alone, sentence);
}

/* Nobody has called. */
static char *no_call(const NmOvpnFailureContext *c)
{
  if (c->control_key)
    return g_strdup_printf(
        _("No peer called on %s port %u. The peer may be down, a firewall may block the port, or "
          "the tls-auth or tls-crypt key may be the wrong one."),
        proto_name(c), c->waits_on);
  return g_strdup_printf(
      _("No peer called on %s port %u. The peer may be down, or a firewall may block the port."),
      proto_name(c), c->waits_on);
}

static char *no_lease(const OvpnFailure *f)
{
  switch (f->arg) {
  case OVPN_DHCP_WHY_ENDED:
    return g_strdup(_("The DHCP server in the network of the VPN did not renew the address of "
                      "this computer in time."));
  case OVPN_DHCP_WHY_IN_USE:
    return with_detail(_("The DHCP server in the network of the VPN gives out an address that "
                         "another device there already uses"),
                       f->text);
  }
  return g_strdup(_("The server gave no address, and no DHCP server answered in its network."));
}

/* f->arg: the host itself answered that nobody listens on that port; the text is the network's. */
static char *no_answer(const OvpnFailure *f, const NmOvpnFailureContext *c, const char *server)
{
  if (c->waits_on)
    return no_call(c);
  if (f->arg)
    return g_strdup_printf(_("%s refused the connection (%s). No VPN server is running there, or a "
                             "firewall rejects it."),
                           server, proto_name(c));
  if (f->text[0])
    return g_strdup_printf(_("No answer from %s (%s): %s"), server, proto_name(c), f->text);
  if (c->control_key)
    return g_strdup_printf(
        _("No answer from %s (%s). The server may be down, a firewall may block it, or the "
          "tls-auth or tls-crypt key may be the wrong one."),
        server, proto_name(c));
  return g_strdup_printf(
      _("No answer from %s (%s). The server may be down, a firewall may block it, or it may "
        "require a tls-auth or tls-crypt key that this connection does not have."),
      server, proto_name(c));
}

static char *certificate_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c,
                                  const char *server)
{
  const char *ca = file_name(c, OVPN_FILE_CA);
  switch ((int)f->status) {
  case OVPN_FAIL_CERT_UNKNOWN_CA:
    if (ca)
      return g_strdup_printf(_("The certificate of %s was not issued by the authority in %s."),
                             server, ca);
    return g_strdup_printf(
        _("The certificate of %s was not issued by the certificate authority of this connection."),
        server);
  case OVPN_FAIL_CERT_EXPIRED:
    if (f->text[0])
      return g_strdup_printf(_("The certificate of %s expired on %s."), server, f->text);
    return g_strdup_printf(_("The certificate of %s has expired."), server);
  case OVPN_FAIL_CERT_NOT_YET_VALID:
    return g_strdup_printf(
        _("The certificate of %s is not valid yet. Check the date and time of this computer."),
        server);
  case OVPN_FAIL_CERT_REVOKED:
    return g_strdup_printf(_("The certificate of %s has been revoked."), server);
  case OVPN_FAIL_CERT_NAME:
    if (c->config && c->config->tls_server)
      return g_strdup_printf(_("The peer presents the name “%s” but this connection expects “%s”."),
                             f->text, c->config->name ? c->config->name : "?");
    return g_strdup_printf(_("The server presents the name “%s” but this connection expects “%s”."),
                           f->text, c->config && c->config->name ? c->config->name : "?");
  case OVPN_FAIL_CERT_USAGE:
    if (c->config && c->config->tls_server)
      return with_detail(
          _("The certificate of the peer is not made for what this connection expects"), f->text);
    return with_detail(_("The certificate of the server is not made for a VPN server"), f->text);
  case OVPN_FAIL_CERT_FINGERPRINT:
    return with_detail(
        _("The certificate of the server is not the expected one; its fingerprint is"), f->text);
  case OVPN_FAIL_CERT_WEAK:
    return with_detail(_("A certificate of the server is too weak"), f->text);
  }
  return with_detail(_("The certificate of the server was not accepted"), f->text);
}

static char *network_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c,
                              const char *server)
{
  switch ((int)f->status) {
  case OVPN_FAIL_RESOLVE:
    return with_detail(_("Cannot find the address of the VPN server"), f->text);
  case OVPN_FAIL_CONNECT:
    if (c->waits_on && f->arg)
      return with_detail(_("Cannot wait for the peer to call"), f->text);
    return with_detail(_("Cannot connect to the VPN server"), f->text[0] ? f->text : server);
  case OVPN_FAIL_NO_ANSWER:
    return no_answer(f, c, server);
  case OVPN_FAIL_HANDSHAKE_TIMEOUT:
    if (f->arg) /* TLS 1.3 servers drop a refused client without a word */
      return g_strdup_printf(_("%s fell silent after it saw the certificate of this connection, "
                               "which it may not accept."),
                             server);
    return g_strdup_printf(_("%s answered but the secure connection was not finished in time."),
                           server);
  case OVPN_FAIL_NO_PUSH_REPLY:
    if (f->arg)
      return g_strdup_printf(g_dngettext(GETTEXT_PACKAGE,
                                         "The sign-in was not finished within %u second.",
                                         "The sign-in was not finished within %u seconds.", f->arg),
                             f->arg);
    return g_strdup_printf(_("%s accepted the connection but did not send the settings in time."),
                           server);
  case OVPN_FAIL_PROXY:
    if (f->arg)
      return with_detail(_("Cannot connect to the proxy"), f->text);
    return with_detail(_("The proxy did not connect to the VPN server"), f->text);
  case OVPN_FAIL_LINK:
    return with_detail(_("The connection to the VPN server was lost"), f->text);
  case OVPN_FAIL_DHCP:
    return no_lease(f);
  case OVPN_FAIL_PING_TIMEOUT:
  case OVPN_FAIL_PING_EXIT:
    return g_strdup_printf(_("%s does not answer any more."), server);
  case OVPN_FAIL_INACTIVE:
    return g_strdup(_("The time limit of this VPN connection is over."));
  case OVPN_FAIL_SERVER_RESTART:
    return with_detail(_("The VPN server restarts"), f->text);
  case OVPN_FAIL_SERVER_HALT:
    return with_detail(_("The VPN server ended the connection"), f->text);
  }
  return with_detail(_("The VPN server ended the connection"), f->text);
}

/* The cipher that no library of ours has: the server named it, or the profile does. */
static const char *missing_cipher(const OvpnFailure *f, const NmOvpnFailureContext *c)
{
  const char *name = NULL;
  if (ovpn_cipher_find(f->text, &name) == OVPN_CIPHER_MISSING ||
      (c->config && ovpn_cipher_find(c->config->cipher, &name) == OVPN_CIPHER_MISSING))
    return name;
  return NULL;
}

static char *protocol_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c,
                               const char *server)
{
  switch ((int)f->status) {
  case OVPN_FAIL_TLS:
    return with_detail(_("The secure connection to the VPN server failed"), f->text);
  case OVPN_FAIL_TLS_ALERT:
    return g_strdup_printf(_("%s refused the secure connection (%s). It may not accept the "
                             "certificate of this connection."),
                           server, f->text[0] ? f->text : "?");
  case OVPN_FAIL_SIGNATURE:
    return g_strdup(_("The security token that holds the private key did not sign. It may have "
                      "been removed, or waited in vain to be touched."));
  case OVPN_FAIL_NO_COMMON_CIPHER:
    if (missing_cipher(f, c))
      return g_strdup_printf(_("%s encrypts with %s, which this computer cannot do; ask its "
                               "administrator to allow AES-256-GCM, or AES-256-CBC if it is old."),
                             server, missing_cipher(f, c));
    return with_detail(
        _("This computer and the server have no encryption method in common; the server wants"),
        f->text);
  case OVPN_FAIL_PUSH:
    return with_detail(_("The server sent settings that cannot be used"), f->text);
  case OVPN_FAIL_AUTH:
    return with_detail(_("The server rejected the user name or password"), f->text);
  case OVPN_FAIL_AUTH_SESSION:
    return g_strdup(_("The server ended the session; sign in again."));
  case OVPN_FAIL_AUTH_TEMP:
    return with_detail(_("The server cannot check the password at the moment"), f->text);
  case OVPN_FAIL_CREDENTIALS:
    return with_detail(_("A password is needed that was not given"), f->text);
  case OVPN_FAIL_RENEGOTIATION:
    return with_detail(_("New keys could not be agreed on with the server"), f->text);
  case OVPN_FAIL_KEY_DERIVATION:
    return g_strdup(_("The keys of the connection could not be computed."));
  case OVPN_FAIL_PROXY_AUTH:
    return with_detail(_("The proxy rejected the user name or password"), f->text);
  case OVPN_FAIL_OWN_CERT_EXPIRED:
    return g_strdup_printf(_("The certificate of this connection expired on %s, and %s does not "
                             "accept it any more."),
                           f->text, server);
  case OVPN_FAIL_PACKET_ID:
    return g_strdup(_("The encryption key was used up before a new one was agreed on."));
  }
  return with_detail(_("The server does not keep to the protocol"), f->text);
}

static char *local_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c)
{
  const char *key = file_name(c, OVPN_FILE_KEY);
  switch ((int)f->status) {
  case OVPN_FAIL_MEMORY:
    return g_strdup(_("There is not enough memory."));
  case OVPN_FAIL_CONFIG:
    return with_detail(_("A setting of this connection is wrong"), f->text);
  case OVPN_FAIL_FILE_FORMAT:
    return with_detail(_("A file of this connection does not hold what it should"), f->text);
  case OVPN_FAIL_KEY_MISMATCH:
    return g_strdup(_("The private key does not belong to the certificate of this connection."));
  case OVPN_FAIL_PASSPHRASE:
    if (key)
      return g_strdup_printf(_("The password of the private key %s is wrong or missing."), key);
    return g_strdup(_("The password of the private key is wrong or missing."));
  }
  return with_detail(_("Something went wrong inside the VPN service"), f->text);
}

char *nmovpn_failure_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c)
{
  const char *server = c->server ? c->server : _("the VPN server");
  if (f->status >= OVPN_FAIL_CERT_UNKNOWN_CA && f->status <= OVPN_FAIL_CERT_OTHER)
    return certificate_sentence(f, c, server);
  switch (nmovpn_failure_action(f->status)) {
  case NMOVPN_FAILURE_NEXT:
    if (f->status == OVPN_FAIL_TLS || f->status == OVPN_FAIL_SIGNATURE ||
        f->status == OVPN_FAIL_TLS_ALERT || f->status == OVPN_FAIL_AUTH_TEMP ||
        f->status == OVPN_FAIL_RENEGOTIATION || f->status == OVPN_FAIL_PACKET_ID ||
        f->status == OVPN_FAIL_PROTOCOL)
      return protocol_sentence(f, c, server);
    return network_sentence(f, c, server);
  case NMOVPN_FAILURE_CREDENTIALS:
  case NMOVPN_FAILURE_AGAIN:
    return protocol_sentence(f, c, server);
  case NMOVPN_FAILURE_PASSPHRASE:
    return local_sentence(f, c);
  case NMOVPN_FAILURE_FINAL:
    break;
  }
  if (f->status == OVPN_FAIL_PING_EXIT || f->status == OVPN_FAIL_INACTIVE ||
      f->status == OVPN_FAIL_SERVER_HALT)
    return network_sentence(f, c, server);
  if (f->status >= OVPN_FAIL_INTERNAL && f->status <= OVPN_FAIL_PASSPHRASE)
    return local_sentence(f, c);
  return protocol_sentence(f, c, server);
}

NmOvpnFailureAction nmovpn_failure_action(OvpnStatus s)
{
  switch ((int)s) {
  case OVPN_FAIL_RESOLVE:
  case OVPN_FAIL_CONNECT:
  case OVPN_FAIL_PROXY:
  case OVPN_FAIL_NO_ANSWER:
  case OVPN_FAIL_HANDSHAKE_TIMEOUT:
  case OVPN_FAIL_NO_PUSH_REPLY:
  case OVPN_FAIL_TLS:
  case OVPN_FAIL_TLS_ALERT:
  case OVPN_FAIL_PROTOCOL:
  case OVPN_FAIL_AUTH_TEMP:
  case OVPN_FAIL_PING_TIMEOUT:
  case OVPN_FAIL_SERVER_RESTART:
  case OVPN_FAIL_SERVER_EXIT:
  case OVPN_FAIL_LINK:
  case OVPN_FAIL_RENEGOTIATION:
  case OVPN_FAIL_PACKET_ID:
  case OVPN_FAIL_DHCP:
  case OVPN_FAIL_SIGNATURE:
    return NMOVPN_FAILURE_NEXT;
  case OVPN_FAIL_AUTH:
  case OVPN_FAIL_CREDENTIALS:
    return NMOVPN_FAILURE_CREDENTIALS;
  case OVPN_FAIL_AUTH_SESSION:
    return NMOVPN_FAILURE_AGAIN;
  case OVPN_FAIL_PASSPHRASE:
    return NMOVPN_FAILURE_PASSPHRASE;
  }
  return NMOVPN_FAILURE_FINAL;
}

NMVpnPluginFailure nmovpn_failure_reason(OvpnStatus s)
{
  switch ((int)s) {
  case OVPN_FAIL_AUTH:
  case OVPN_FAIL_AUTH_SESSION:
  case OVPN_FAIL_CREDENTIALS:
  case OVPN_FAIL_PASSPHRASE:
  case OVPN_FAIL_PROXY_AUTH:
    return NM_VPN_PLUGIN_FAILURE_LOGIN_FAILED;
  case OVPN_FAIL_PUSH:
  case OVPN_FAIL_DHCP:
    return NM_VPN_PLUGIN_FAILURE_BAD_IP_CONFIG;
  }
  return NM_VPN_PLUGIN_FAILURE_CONNECT_FAILED;
}
