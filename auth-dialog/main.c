/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-auth-dialog: asks the user for secrets on behalf of a secret agent (GNOME Shell,
 * nm-applet, nmcli).
 *
 * Runs as the user. stdin brings the profile, stdout takes the answer and nothing else; messages go
 * to stderr, which may be closed. Unknown arguments are ignored because agents differ. No GTK in
 * external UI mode. spec/desktop.md §4. */
#include "ovpn-build.h"

#include <NetworkManager.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth-dialog/browser.h"
#include "auth-dialog/keyring.h"
#include "auth-dialog/request.h"
#ifdef NMOVPN_WITH_GTK4
#include "auth-dialog/prompt.h"
#endif
#include "helper/core/secret.h"
#include "service/profile.h"

enum { QUIT_TIMEOUT_S = 20, KEY_HEAD_MAX = 64 * 1024 };

typedef struct Arguments {
  const char *name, *uuid;
  GPtrArray *hints; /* NULL-terminated; texts of argv */
  gboolean external, interactive, reprompt;
} Arguments;

/* Value of an option: "-n VALUE", "--name VALUE", "--name=VALUE" or "-nVALUE". */
static const char *option_value(char **argv, int *i, char letter, const char *word)
{
  const char *a = argv[*i];
  gsize n = strlen(word);
  if (!strncmp(a, "--", 2)) {
    if (strncmp(a + 2, word, n))
      return NULL;
    if (a[2 + n] == '=')
      return a + 2 + n + 1;
    if (a[2 + n])
      return NULL;
  } else if (a[0] != '-' || a[1] != letter) {
    return NULL;
  } else if (a[2]) {
    return a + 2 + (a[2] == '=');
  }
  return argv[*i + 1] ? argv[++*i] : "";
}

static gboolean is_switch(const char *a, const char *letter, const char *word)
{
  return (letter && !strcmp(a, letter)) || !strcmp(a, word);
}

static void parse_arguments(int argc, char **argv, Arguments *ret)
{
  ret->hints = g_ptr_array_new();
  for (int i = 1; i < argc; i++) {
    const char *value;
    if (is_switch(argv[i], "-i", "--allow-interaction"))
      ret->interactive = TRUE;
    else if (is_switch(argv[i], "-r", "--reprompt"))
      ret->reprompt = TRUE;
    else if (is_switch(argv[i], NULL, "--external-ui-mode"))
      ret->external = TRUE;
    else if ((value = option_value(argv, &i, 't', "hint")))
      g_ptr_array_add(ret->hints, (gpointer)value);
    else if ((value = option_value(argv, &i, 'n', "name")))
      ret->name = value;
    else if ((value = option_value(argv, &i, 'u', "uuid")))
      ret->uuid = value;
    else
      option_value(argv, &i, 's', "service"); /* taken along with its value and not needed */
  }
  g_ptr_array_add(ret->hints, NULL);
}

static NMSettingVpn *read_profile(void)
{
  GHashTable *data = NULL, *secrets = NULL;
  if (!nm_vpn_service_plugin_read_vpn_details(STDIN_FILENO, &data, &secrets))
    return NULL;
  NMSettingVpn *vpn = NM_SETTING_VPN(g_object_ref_sink(nm_setting_vpn_new()));
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, data);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (*(char *)key && *(char *)value)
      nm_setting_vpn_add_data_item(vpn, key, value);
  }
  g_hash_table_iter_init(&iter, secrets);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (*(char *)key && *(char *)value)
      nm_setting_vpn_add_secret(vpn, key, value);
    ovpn_wipe(value, strlen(value));
  }
  g_hash_table_unref(data);
  g_hash_table_unref(secrets);
  /* NetworkManager tells the service who answered; here it is the person who runs this. */
  g_object_set(vpn, NM_SETTING_VPN_USER_NAME, g_get_user_name(), NULL);
  return vpn;
}

/* A key that this user cannot read is reported by the service, which then hints at the pass phrase.
 */
static gboolean key_file_is_encrypted(NMSettingVpn *vpn)
{
  g_autofree char *path = nmovpn_profile_key_path(vpn);
  struct stat st;
  gboolean encrypted = FALSE;
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
  if (fd < 0)
    return FALSE;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
    guint8 *head = g_malloc(KEY_HEAD_MAX);
    ssize_t n = read(fd, head, KEY_HEAD_MAX);
    encrypted = n > 0 && nmovpn_key_text_is_encrypted(head, (gsize)n);
    ovpn_wipe(head, KEY_HEAD_MAX);
    g_free(head);
  }
  close(fd);
  return encrypted;
}

/* Agents that leave the key ring to us (nm-applet, nmcli) would ask each time for what they saved
 * there. A hint, or -r, says that the saved one was wrong. */
static void add_saved(NMSettingVpn *vpn, const Arguments *args, gboolean key_is_encrypted)
{
  guint missing = (guint)nmovpn_profile_needs(vpn, key_is_encrypted, TRUE);
  if (args->reprompt || args->hints->len > 1)
    return;
  for (guint i = 0; i < REQUEST_NEEDS; i++) {
    const char *key = request_needs[i].key;
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;
    if (!request_needs[i].kept || !(missing & (guint)request_needs[i].need) ||
        !nm_setting_get_secret_flags(NM_SETTING(vpn), key, &flags, NULL) ||
        flags != NM_SETTING_SECRET_FLAG_AGENT_OWNED)
      continue;
    char *value = keyring_lookup(args->uuid, key, args->interactive);
    if (value)
      nm_setting_vpn_add_secret(vpn, key, value);
    ovpn_secret_free(value);
  }
}

static gboolean print_and_wipe(char *text)
{
  gboolean ok = text && fputs(text, stdout) >= 0 && fflush(stdout) == 0;
  ovpn_secret_free(text);
  return ok;
}

/* The agent reads our answer until it says QUIT; leaving earlier made some of them lose it. */
static void wait_for_quit(void)
{
  gint64 end = g_get_monotonic_time() + (gint64)QUIT_TIMEOUT_S * G_USEC_PER_SEC;
  for (;;) {
    gint64 left = (end - g_get_monotonic_time()) / 1000;
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char text[256];
    if (left <= 0)
      return;
    int ready = poll(&p, 1, (int)left);
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      return;
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));
    if (n <= 0 || memmem(text, (size_t)n, "QUIT", 4))
      return;
  }
}

static gboolean ask(Request *r)
{
#ifdef NMOVPN_WITH_GTK4
  switch (prompt_run(r)) {
  case PROMPT_DONE:
    return TRUE;
  case PROMPT_CANCELLED:
    return FALSE;
  case PROMPT_NO_DISPLAY:
    fprintf(stderr, _("There is no display to ask for the password on\n"));
    return FALSE;
  }
#else
  fprintf(stderr, _("This program was built without a window to ask for the password in\n"));
#endif
  return FALSE;
}

static int run(const Arguments *args)
{
  g_autoptr(NMSettingVpn) vpn = read_profile();
  if (!vpn) {
    fprintf(stderr, _("No VPN profile came from the standard input\n"));
    return 1;
  }
  RequestFlags flags = {.interactive = args->interactive,
                        .reprompt = args->reprompt,
                        .key_is_encrypted = key_file_is_encrypted(vpn)};
  add_saved(vpn, args, flags.key_is_encrypted);
  g_autoptr(Request) r =
      request_new(vpn, args->name, (const char *const *)args->hints->pdata, flags);
  if (args->external && r->open_page)
    browser_open(r->page); /* the agent's window has no button for it */
  if (args->external)
    return print_and_wipe(request_to_key_file(r)) ? 0 : 1;
  if (request_has_questions(r) && !ask(r))
    return 1;
  if (!print_and_wipe(request_to_pairs(r)))
    return 1;
  wait_for_quit();
  return 0;
}

int main(int argc, char **argv)
{
  Arguments args = {0};
  signal(SIGPIPE, SIG_IGN);
  setlocale(LC_ALL, "");
  bindtextdomain(GETTEXT_PACKAGE, NMOVPN_LOCALEDIR);
  bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
  textdomain(GETTEXT_PACKAGE);
  g_log_writer_default_set_use_stderr(TRUE);
  parse_arguments(argc, argv, &args);
  int code = run(&args);
  g_ptr_array_unref(args.hints);
  return code;
}
