/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NetworkManager's language: an NMSettingVpn <-> OpenVPN options, and which secrets a profile
 * needs.
 *
 * Pure functions (no I/O, no D-Bus), one static library used by service, auth-dialog and
 * properties. The keys of vpn.data keep the names and formats of NetworkManager-openvpn
 * (spec/networkmanager-openvpn.md §3); they are spelled in options.def and here only. Messages are
 * translated sentences for people. */
#pragma once
#include <NetworkManager.h>
#include "helper/core/config.h"
#include "helper/core/options.h"

#define NMOVPN_PROFILE_ERROR (nmovpn_profile_error_quark())
GQuark nmovpn_profile_error_quark(void);
typedef enum {
  NMOVPN_PROFILE_ERROR_INVALID, /* a key has a bad value; the message names key and value */
  NMOVPN_PROFILE_ERROR_MISSING, /* something required is absent */
} NmOvpnProfileError;

/* Names of secrets and other keys that are no option (spec §4). */
#define NMOVPN_SECRET_PASSWORD "password"
#define NMOVPN_SECRET_CERT_PASS "cert-pass"
#define NMOVPN_KEY_PROXY_USERNAME "http-proxy-username"
#define NMOVPN_SECRET_PROXY_PASSWORD "http-proxy-password"
#define NMOVPN_SECRET_CHALLENGE "challenge-response"
#define NMOVPN_SECRET_NONE "no-secret"
#define NMOVPN_SECRET_KEY "key" /* inline private key, data: URI */
#define NMOVPN_KEY_EXTRA_OPTIONS "extra-options"
#define NMOVPN_KEY_DEFAULT_ROUTE "default-route"
#define NMOVPN_KEY_IPV6_GUARD "ipv6-leak-protection"
#define NMOVPN_KEY_USERNAME "username"
#define NMOVPN_HINT_MESSAGE "x-vpn-message:"
#define NMOVPN_HINT_CHALLENGE "x-dynamic-challenge:"
#define NMOVPN_HINT_CHALLENGE_ECHO "x-dynamic-challenge-echo:"
/* Stand before the hint of a challenge whose answer means nothing, while the server waits for
 * something else: a page (last line of the message) to be opened, or nothing but patience. */
#define NMOVPN_HINT_BROWSER "x-nm-ovpn-browser"
#define NMOVPN_HINT_PATIENCE "x-nm-ovpn-patience"

/* vpn.data (+ secret "key") -> options in OpenVPN's terms, in the order OpenVPN would see them;
 * extra-options follow. Adds what the old plugin always passed (client, nobind, reneg-sec 0 when
 * the key is absent, ...). data: URIs become is_inline items with content. Unknown keys are ignored
 * here (kept in the profile). */
gboolean nmovpn_profile_to_options(NMSettingVpn *vpn, OvpnOptionList *ret, GError **error);

/* Where the options of a file go. */
typedef struct NmOvpnImportTarget {
  const char *directory; /* makes relative file names absolute; NULL: leave */
  NMSettingVpn *vpn;
  NMSettingIPConfig *ip4, *ip6; /* take what means the same there; NULL: nothing */
  GPtrArray *warnings; /* one translated sentence for each line that has no effect or a mistake */
  GPtrArray *notes;    /* words of lines without effect that nobody needs here */
  gboolean *refused;   /* NULL or set to TRUE when a warning says why connecting would fail */
} NmOvpnImportTarget;

/* Options (from a .ovpn file) -> keys and settings; what has no key goes to extra-options in order.
 */
gboolean nmovpn_profile_from_options(const OvpnOptionList *l, const NmOvpnImportTarget *target,
                                     GError **error);

/* default-route=auto present: OpenVPN's own rule (DESIGN §7). */
gboolean nmovpn_profile_default_route_auto(NMSettingVpn *vpn);

/* TRUE unless ipv6-leak-protection=no: a tunnel that takes all IPv4 and has no IPv6 blocks IPv6. */
gboolean nmovpn_profile_ipv6_guard(NMSettingVpn *vpn);

typedef enum {
  NMOVPN_NEEDS_PASSWORD = 1 << 0,
  NMOVPN_NEEDS_CERT_PASS = 1 << 1,
  NMOVPN_NEEDS_PROXY_PASSWORD = 1 << 2,
  NMOVPN_NEEDS_USERNAME = 1 << 3,
  NMOVPN_NEEDS_STATIC_CHALLENGE = 1 << 4,
} NmOvpnNeeds;
/* What the profile needs and its secrets do not hold yet (flag 4 "not required" obeyed).
 * key_is_encrypted: the caller looked at the key file (nmovpn_key_text_is_encrypted on its first
 * bytes); ignored for inline keys, which are looked at here. only_missing = FALSE: what it needs at
 * all, present or not. */
NmOvpnNeeds nmovpn_profile_needs(NMSettingVpn *vpn, gboolean key_is_encrypted,
                                 gboolean only_missing);

/* TRUE when PEM text or DER holds an encrypted private key or a PKCS#12. */
gboolean nmovpn_key_text_is_encrypted(const void *data, gsize len);
/* TRUE when an inline key was stored as a secret but is not there any more and nothing took its
 * place. An update that brings any secret replaces all of them (NetworkManager keeps the old ones
 * only when an update brings none), so `nmcli connection modify X vpn.secrets password=...` loses
 * the key. */
gboolean nmovpn_profile_key_is_lost(NMSettingVpn *vpn);
/* The key is on a security token: its pass phrase is a PIN. */
gboolean nmovpn_profile_key_is_on_token(NMSettingVpn *vpn);
/* The path whose content decides that (key, or cert for PKCS#12); NULL when inline, pkcs11: or not
 * used. */
char *nmovpn_profile_key_path(NMSettingVpn *vpn);

/* *ret = PEM text without its private keys, which have no business among certificates that
 * everybody may read. FALSE: out of memory. */
gboolean nmovpn_pem_without_keys(const void *text, gsize len, OvpnBlob *ret);

/* "data:;base64,..." <-> bytes. decode: FALSE when the text is no such URI or broken. */
gboolean nmovpn_data_uri_decode(const char *text, OvpnBlob *ret);
char *nmovpn_data_uri_encode(const void *data, gsize len);

/* C-style backslash escapes of paths and extra-options in vpn.data (spec §3.1). escape keeps UTF-8;
 * unescape accepts both plugins' forms and may give bytes that are not UTF-8. */
char *nmovpn_text_escape(const char *text, gsize len);
char *nmovpn_text_unescape(const char *text);
/* One option in OpenVPN syntax, inline content as a block, newline at the end. NULL when out of
 * memory. */
char *nmovpn_option_text(const OvpnOption *o);
