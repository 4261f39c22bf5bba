/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What import tells about the lines of a file: the ones without effect, and the ones that will stop
 * the connection.
 *
 * The reasons stand in options.def. Words of the file are data from a stranger: they are cut and
 * control characters left out. DESIGN §7. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* A word of the file, fit for a terminal. */
static char *shown(const char *word)
{
  g_autofree char *valid = g_utf8_make_valid(word, (gssize)MIN(strlen(word), 60));
  for (char *p = valid; *p; p++)
    if ((guchar)*p < 0x20 || *p == 0x7f)
      *p = '?';
  return g_steal_pointer(&valid);
}

/* Somebody said that this word may be unknown. */
static gboolean is_excused(const OvpnOptionList *l, const char *word)
{
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    for (guint k = 1; o->id == OVPN_OPT_IGNORE_UNKNOWN_OPTION && k < o->argc; k++)
      if (!strcmp(o->argv[k], word))
        return TRUE;
  }
  return FALSE;
}

/* The scripts of distributions that hand the server's names to the resolver: NetworkManager does
 * that, so nothing is lost. */
static gboolean is_dns_script(const OvpnOption *o)
{
  gboolean script = o->id == OVPN_OPT_UP || o->id == OVPN_OPT_DOWN || o->id == OVPN_OPT_ROUTE_UP ||
                    o->id == OVPN_OPT_ROUTE_PRE_DOWN;
  if (!script || o->argc < 2)
    return FALSE;
  const char *slash = strrchr(o->argv[1], '/');
  const char *name = slash ? slash + 1 : o->argv[1];
  return g_str_has_prefix(name, "update-resolv-conf") ||
         g_str_has_prefix(name, "update-systemd-resolved");
}

static const char *no_effect(const OvpnOptionList *l, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  if (o->id == OVPN_OPT_CONFIG)
    return NULL; /* who reads included files has said why this one was not */
  if (o->id == OVPN_OPT_DNS_UPDOWN && o->argc == 2 &&
      (!strcmp(o->argv[1], "disable") || !strcmp(o->argv[1], "force")))
    return NULL; /* obeyed; done anyway */
  if (o->id == OVPN_OPT_UNKNOWN)
    return is_excused(l, o->argv[0]) ? NULL : _("this option is not known");
  if (info->flags & OVPN_OPTF_SERVER)
    return _("it only concerns servers");
  if (info->flags & (OVPN_OPTF_NEVER | OVPN_OPTF_LATER))
    return info->reason ? _(info->reason) : _("it is not supported");
  return NULL;
}

static void add_text(GPtrArray *to, const OvpnOption *o, const char *text)
{
  g_ptr_array_add(to, o->line ? g_strdup_printf(_("Line %u: %s"), o->line, text) : g_strdup(text));
}

static void add_word(GPtrArray *to, const OvpnOption *o, const char *format)
{
  g_autofree char *word = shown(o->argv[0]);
  g_autofree char *text = g_strdup_printf(format, word);
  add_text(to, o, text);
}

static void add_line(GPtrArray *to, const OvpnOption *o, const char *format, const char *why)
{
  g_autofree char *word = shown(o->argv[0]);
  g_autofree char *rest = g_strdup_printf(format, word, why);
  add_text(to, o, rest);
}

/* Compression is asked for, and the file does not insist on it. */
static gboolean compression_not_given(const OvpnOptionList *l, const OvpnOption *o)
{
  const OvpnOption *allow = ovpn_option_list_last(l, OVPN_OPT_ALLOW_COMPRESSION);
  const char *word = o->argc > 1 ? o->argv[1] : "";
  if (allow && allow->argc > 1 && g_ascii_strcasecmp(allow->argv[1], "asym"))
    return FALSE; /* whoever says "no" does not ask */
  if (o->id == OVPN_OPT_COMP_LZO)
    return g_ascii_strcasecmp(word, "no") != 0;
  return o->id == OVPN_OPT_COMPRESS &&
         (!g_ascii_strncasecmp(word, "lz4", 3) || !g_ascii_strcasecmp(word, "lzo"));
}

gboolean profile_warn(const OvpnOptionList *l, const OvpnOption *o, GPtrArray *warnings,
                      GPtrArray *notes)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  OvpnFailure f = {0};
  gboolean dns_script = is_dns_script(o);
  const char *why = dns_script ? NULL : no_effect(l, o);
  if (notes && (dns_script || (info->flags & OVPN_OPTF_HARMLESS)))
    g_ptr_array_add(notes, shown(o->argv[0]));
  if (!warnings)
    return FALSE;
  if (why) {
    /* TRANSLATORS: an option and the reason, such as “only matters to a server” */
    add_line(warnings, o, _("“%s” has no effect: %s"), why);
    return FALSE;
  }
  if (info->flags & OVPN_OPTF_REFUSED) {
    /* TRANSLATORS: an option and the reason, such as “connections with a shared static key are not
     * possible yet” */
    add_line(warnings, o, _("“%s” keeps this connection from working: %s"), _(info->reason));
    return TRUE;
  }
  if (ovpn_config_try(o, &f) != OVPN_OK) {
    add_line(warnings, o, _("“%s” keeps this connection from working: %s"), f.text);
    return TRUE;
  }
  if (o->id == OVPN_OPT_NO_REPLAY || o->id == OVPN_OPT_NO_IV)
    /* TRANSLATORS: an option that weakens the protection of packets */
    add_word(warnings, o,
             _("“%s” makes the connection less secure; ask the administrator of the server to do "
               "without it"));
  else if (o->id == OVPN_OPT_ROUTE_TABLE)
    /* TRANSLATORS: an option and two settings of NetworkManager */
    add_word(warnings, o,
             _("“%s” holds for routes of this file that have an address; for all others set "
               "ipv4.route-table and ipv6.route-table"));
  else if (ovpn_option_doubt(o, &f) != OVPN_OK)
    add_text(warnings, o, f.text);
  else if (compression_not_given(l, o))
    /* TRANSLATORS: an option. “allow-compression yes” is a line of a file and stays as it is. */
    add_line(warnings, o,
             _("“%s”: packets are sent uncompressed, since their length would tell about their "
               "content (%s); only “allow-compression yes” changes that"),
             "VORACLE");
  return FALSE;
}
