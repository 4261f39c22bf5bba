/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NMVpnServicePlugin subclass: vfuncs in, signals out.
 *
 * The caller is NetworkManager (the bus policy lets only root send here); the profile inside a call
 * was written by a user and is checked by profile.c. Errors become NM_VPN_PLUGIN_ERROR here and
 * nowhere else. What of them a person gets to see is told in failure.c. */
#include "service/plugin.h"
#include <glib/gi18n-lib.h>
#include "service/attempt.h"
#include "service/log.h"
#include "service/secrets.h"
#include "service/settle.h"

enum { SETTLED_SECONDS = 1 };

struct _NmOvpnPlugin {
  NMVpnServicePlugin parent;
  NmOvpnBroker *broker;
  NmOvpnAttempt *attempt;
  char *refusal;
  guint uncalled; /* timer until NetworkManager's first call */
};

/* NetworkManager calls as soon as the name is owned, unless the person took the connection down
 * before; then it never does, and libnm would end the process after three minutes only. */
enum { UNCALLED_SECONDS = 10 };

G_DEFINE_FINAL_TYPE(NmOvpnPlugin, nmovpn_plugin, NM_TYPE_VPN_SERVICE_PLUGIN)

static NMVpnServiceState get_state(NmOvpnPlugin *p)
{
  NMVpnServiceState state = NM_VPN_SERVICE_STATE_UNKNOWN;
  g_object_get(p, NM_VPN_SERVICE_PLUGIN_STATE, &state, NULL);
  return state;
}

static void set_state(NmOvpnPlugin *p, NMVpnServiceState state)
{
  g_object_set(p, NM_VPN_SERVICE_PLUGIN_STATE, state, NULL);
}

static gboolean on_settled(gpointer unused)
{
  nmovpn_settle();
  return G_SOURCE_REMOVE;
}

static void on_config(GVariant *generic, GVariant *ip4, GVariant *ip6, gpointer user_data)
{
  NMVpnServicePlugin *plugin = user_data;
  nm_vpn_service_plugin_set_config(plugin, generic);
  if (ip4)
    nm_vpn_service_plugin_set_ip4_config(plugin, ip4);
  if (ip6)
    nm_vpn_service_plugin_set_ip6_config(plugin, ip6);
  g_timeout_add_seconds(SETTLED_SECONDS, on_settled, NULL);
}

static void on_secrets_required(const char *message, const char *const *hints, gpointer user_data)
{
  NmOvpnPlugin *p = user_data;
  /* NetworkManager listens to this signal only while connecting. */
  if (get_state(p) == NM_VPN_SERVICE_STATE_STARTED)
    set_state(p, NM_VPN_SERVICE_STATE_STARTING);
  nm_vpn_service_plugin_secrets_required(NM_VPN_SERVICE_PLUGIN(p), message,
                                         (const char **)(gpointer)hints);
}

/* A step from STARTED to STARTING takes NetworkManager back to connecting, and with that it
 * withdraws the request from the agent; in its state "need authentication" it would not take a
 * configuration (read in nm-vpn-connection.c of 1.42 to 1.58, seen with 1.42). */
static void on_secrets_not_required(gpointer user_data)
{
  set_state(user_data, NM_VPN_SERVICE_STATE_STARTED);
  set_state(user_data, NM_VPN_SERVICE_STATE_STARTING);
}

static void on_failed(NMVpnPluginFailure reason, const char *sentence, gpointer user_data)
{
  NmOvpnPlugin *p = user_data;
  /* nm_vpn_service_plugin_failure() disconnects, and in the state STARTING that sends a second
   * Failure with the reason CONNECT_FAILED, which overwrites ours in NetworkManager. In STOPPING it
   * does not. */
  set_state(p, NM_VPN_SERVICE_STATE_STOPPING);
  nm_vpn_service_plugin_failure(NM_VPN_SERVICE_PLUGIN(p), reason);
  set_state(p, NM_VPN_SERVICE_STATE_STOPPED);
}

static void on_stopped(gpointer user_data)
{
  nmovpn_log(LOG_INFO, "stopped");
}

static gboolean on_uncalled(gpointer user_data)
{
  NmOvpnPlugin *p = user_data;
  p->uncalled = 0;
  nmovpn_log(LOG_INFO, "NetworkManager asks for nothing: the service ends");
  g_signal_emit_by_name(p, "quit");
  return G_SOURCE_REMOVE;
}

static void was_called(NmOvpnPlugin *p)
{
  g_clear_handle_id(&p->uncalled, g_source_remove);
}

static const NmOvpnAttemptCallbacks attempt_callbacks = {
    .config = on_config,
    .secrets_required = on_secrets_required,
    .secrets_not_required = on_secrets_not_required,
    .failed = on_failed,
    .stopped = on_stopped,
};

static gboolean start(NmOvpnPlugin *p, NMConnection *connection, gboolean interactive,
                      GError **error)
{
  was_called(p);
  if (p->refusal) {
    g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_LAUNCH_FAILED, p->refusal);
    return FALSE;
  }
  nmovpn_log_set_connection(nm_connection_get_uuid(connection), nm_connection_get_id(connection));
  nmovpn_attempt_free(p->attempt);
  p->attempt = nmovpn_attempt_new(p->broker, &attempt_callbacks, p);
  g_autoptr(GError) local = NULL;
  if (nmovpn_attempt_start(p->attempt, connection, interactive, &local))
    return TRUE;
  nmovpn_log(LOG_ERR, "%s", local->message);
  g_propagate_error(error, g_steal_pointer(&local));
  return FALSE;
}

static gboolean plugin_connect(NMVpnServicePlugin *plugin, NMConnection *connection, GError **error)
{
  return start(NMOVPN_PLUGIN(plugin), connection, FALSE, error);
}

static gboolean plugin_connect_interactive(NMVpnServicePlugin *plugin, NMConnection *connection,
                                           GVariant *details, GError **error)
{
  return start(NMOVPN_PLUGIN(plugin), connection, TRUE, error);
}

static gboolean plugin_need_secrets(NMVpnServicePlugin *plugin, NMConnection *connection,
                                    const char **setting_name, GError **error)
{
  NmOvpnPlugin *p = NMOVPN_PLUGIN(plugin);
  was_called(p);
  if (p->refusal)
    return FALSE; /* Connect says why */
  NmOvpnNeeds needs = nmovpn_secrets_missing(connection, p->broker);
  nmovpn_log(LOG_INFO, "secrets missing: %#x", (guint)needs);
  if (!needs)
    return FALSE;
  *setting_name = NM_SETTING_VPN_SETTING_NAME;
  return TRUE;
}

static gboolean plugin_new_secrets(NMVpnServicePlugin *plugin, NMConnection *connection,
                                   GError **error)
{
  NmOvpnPlugin *p = NMOVPN_PLUGIN(plugin);
  g_autoptr(GError) local = NULL;
  if (p->attempt && nmovpn_attempt_new_secrets(p->attempt, connection, &local))
    return TRUE;
  const char *message = local ? local->message : _("No password was asked for.");
  nmovpn_log(LOG_ERR, "%s", message);
  g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, message);
  if (p->attempt)
    nmovpn_attempt_stop(p->attempt);
  return FALSE;
}

static gboolean plugin_disconnect(NMVpnServicePlugin *plugin, GError **error)
{
  NmOvpnPlugin *p = NMOVPN_PLUGIN(plugin);
  if (p->attempt)
    nmovpn_attempt_stop(p->attempt);
  return TRUE;
}

static void plugin_dispose(GObject *object)
{
  NmOvpnPlugin *p = NMOVPN_PLUGIN(object);
  was_called(p);
  G_OBJECT_CLASS(nmovpn_plugin_parent_class)->dispose(object); /* disconnects: needs the attempt */
  g_clear_pointer(&p->attempt, nmovpn_attempt_free);
  g_clear_pointer(&p->refusal, g_free);
}

static void nmovpn_plugin_class_init(NmOvpnPluginClass *klass)
{
  NMVpnServicePluginClass *plugin_class = NM_VPN_SERVICE_PLUGIN_CLASS(klass);
  plugin_class->connect = plugin_connect;
  plugin_class->connect_interactive = plugin_connect_interactive;
  plugin_class->need_secrets = plugin_need_secrets;
  plugin_class->new_secrets = plugin_new_secrets;
  plugin_class->disconnect = plugin_disconnect;
  G_OBJECT_CLASS(klass)->dispose = plugin_dispose;
}

static void nmovpn_plugin_init(NmOvpnPlugin *p)
{
}

NmOvpnPlugin *nmovpn_plugin_new(const char *bus_name, gboolean watch_peer, GError **error)
{
  NmOvpnPlugin *p =
      g_initable_new(NMOVPN_TYPE_PLUGIN, NULL, error, NM_VPN_SERVICE_PLUGIN_DBUS_SERVICE_NAME,
                     bus_name, NM_VPN_SERVICE_PLUGIN_DBUS_WATCH_PEER, watch_peer, NULL);
  if (p && watch_peer)
    p->uncalled = g_timeout_add_seconds(UNCALLED_SECONDS, on_uncalled, p);
  return p;
}

void nmovpn_plugin_set_broker(NmOvpnPlugin *p, NmOvpnBroker *broker)
{
  p->broker = broker;
}

void nmovpn_plugin_set_refusal(NmOvpnPlugin *p, const char *sentence)
{
  g_free(p->refusal);
  p->refusal = g_strdup(sentence);
}

gboolean nmovpn_plugin_is_busy(NmOvpnPlugin *p)
{
  return p->attempt && nmovpn_attempt_is_running(p->attempt);
}

void nmovpn_plugin_helper_gone(NmOvpnPlugin *p)
{
  nmovpn_plugin_set_refusal(p, _("The privileged helper of the VPN service ended."));
  if (p->attempt)
    nmovpn_attempt_helper_gone(p->attempt);
}

void nmovpn_plugin_log_stats(NmOvpnPlugin *p)
{
  if (p->attempt)
    nmovpn_attempt_log_stats(p->attempt);
}
