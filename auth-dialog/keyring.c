/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key ring, by its D-Bus interface (org.freedesktop.secrets).
 *
 * GNOME Shell looks there before it runs us; nm-applet and nmcli leave it to the VPN's own dialog.
 * Only reads. The key ring belongs to the same person and the session bus is theirs alone, so the
 * secret comes unencrypted ("plain"); no bus is started for it. Answers are only used when they
 * have the type that was asked for. spec/desktop.md §4 (storage). */
#include "ovpn-build.h"

#include "auth-dialog/keyring.h"

#include <gio/gio.h>
#include <string.h>

#include "helper/core/secret.h"

#define NAME "org.freedesktop.secrets"
#define ROOT "/org/freedesktop/secrets"
#define SERVICE "org.freedesktop.Secret.Service"
#define SESSION "org.freedesktop.Secret.Session"
#define PROMPT "org.freedesktop.Secret.Prompt"

enum { ANSWER_MS = 10 * 1000, PERSON_S = 120 };

/* GLib would start a bus of its own where there is none. */
static GDBusConnection *session_bus(void)
{
  g_autofree char *path = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);
  if (!g_getenv("DBUS_SESSION_BUS_ADDRESS") && !g_file_test(path, G_FILE_TEST_EXISTS))
    return NULL;
  GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
  if (bus)
    g_dbus_connection_set_exit_on_close(bus, FALSE);
  return bus;
}

static GVariant *call(GDBusConnection *bus, const char *path, const char *interface,
                      const char *method, GVariant *args, const char *type)
{
  return g_dbus_connection_call_sync(bus, NAME, path, interface, method, args,
                                     type ? G_VARIANT_TYPE(type) : NULL, G_DBUS_CALL_FLAGS_NONE,
                                     ANSWER_MS, NULL, NULL);
}

/* ---- unlocking */

static void on_completed(GDBusConnection *bus, const char *sender, const char *path,
                         const char *interface, const char *signal, GVariant *args, gpointer loop)
{
  g_main_loop_quit(loop);
}

static gboolean on_timeout(gpointer loop)
{
  g_main_loop_quit(loop);
  return G_SOURCE_CONTINUE;
}

/* Shows the key ring's own window, and waits for it. */
static void prompt(GDBusConnection *bus, const char *path)
{
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  guint id = g_dbus_connection_signal_subscribe(bus, NAME, PROMPT, "Completed", path, NULL,
                                                G_DBUS_SIGNAL_FLAGS_NONE, on_completed, loop, NULL);
  guint limit = g_timeout_add_seconds(PERSON_S, on_timeout, loop);
  g_autoptr(GVariant) ok = call(bus, path, PROMPT, "Prompt", g_variant_new("(s)", ""), "()");
  if (ok)
    g_main_loop_run(loop);
  g_source_remove(limit);
  g_dbus_connection_signal_unsubscribe(bus, id);
  g_main_loop_unref(loop);
}

static void unlock(GDBusConnection *bus, const char *item)
{
  const char *path = NULL;
  g_autoptr(GVariant) answer = call(bus, ROOT, SERVICE, "Unlock",
                                    g_variant_new("(@ao)", g_variant_new_objv(&item, 1)), "(aoo)");
  if (answer)
    g_variant_get(answer, "(@ao&o)", NULL, &path);
  if (path && strcmp(path, "/") != 0)
    prompt(bus, path);
}

/* ---- reading */

static char *first_of(GVariant *paths)
{
  char *path = NULL;
  if (g_variant_n_children(paths))
    g_variant_get_child(paths, 0, "o", &path);
  return path;
}

static char *find_item(GDBusConnection *bus, const char *uuid, const char *key, gboolean may_unlock)
{
  GVariantBuilder b;
  g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
  g_variant_builder_add(&b, "{ss}", "connection-uuid", uuid);
  g_variant_builder_add(&b, "{ss}", "setting-name", "vpn");
  g_variant_builder_add(&b, "{ss}", "setting-key", key);
  g_autoptr(GVariant) found =
      call(bus, ROOT, SERVICE, "SearchItems", g_variant_new("(a{ss})", &b), "(aoao)");
  if (!found)
    return NULL;
  g_autoptr(GVariant) open = g_variant_get_child_value(found, 0);
  g_autoptr(GVariant) locked = g_variant_get_child_value(found, 1);
  char *item = first_of(open);
  if (!item && may_unlock && (item = first_of(locked)))
    unlock(bus, item);
  return item;
}

/* Secrets are bytes; ours are one line of text. */
static char *text_of(GVariant *secrets)
{
  gsize len = 0;
  if (!g_variant_n_children(secrets))
    return NULL;
  g_autoptr(GVariant) entry = g_variant_get_child_value(secrets, 0);
  g_autoptr(GVariant) secret = g_variant_get_child_value(entry, 1);
  g_autoptr(GVariant) value = g_variant_get_child_value(secret, 2);
  const char *bytes = g_variant_get_fixed_array(value, &len, 1);
  if (!len || memchr(bytes, 0, len) || !g_utf8_validate(bytes, (gssize)len, NULL))
    return NULL;
  char *text = g_strndup(bytes, len);
  char *ret = ovpn_secret_strdup(text);
  ovpn_secret_free(text);
  return ret;
}

static char *read_item(GDBusConnection *bus, const char *item)
{
  const char *session = NULL;
  g_autoptr(GVariant) opened =
      call(bus, ROOT, SERVICE, "OpenSession",
           g_variant_new("(sv)", "plain", g_variant_new_string("")), "(vo)");
  if (!opened)
    return NULL;
  g_variant_get(opened, "(@v&o)", NULL, &session);
  g_autoptr(GVariant) answer =
      call(bus, ROOT, SERVICE, "GetSecrets",
           g_variant_new("(@aoo)", g_variant_new_objv(&item, 1), session), "(a{o(oayays)})");
  g_autoptr(GVariant) secrets = answer ? g_variant_get_child_value(answer, 0) : NULL;
  char *text = secrets ? text_of(secrets) : NULL;
  GVariant *closed = call(bus, session, SESSION, "Close", NULL, NULL);
  g_clear_pointer(&closed, g_variant_unref);
  return text;
}

char *keyring_lookup(const char *uuid, const char *key, gboolean may_unlock)
{
  if (!uuid || !g_uuid_string_is_valid(uuid))
    return NULL;
  g_autoptr(GDBusConnection) bus = session_bus();
  g_autofree char *item = bus ? find_item(bus, uuid, key, may_unlock) : NULL;
  return item ? read_item(bus, item) : NULL;
}
