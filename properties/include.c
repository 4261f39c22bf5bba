/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `config FILE` in an imported file: the lines of that file take the place of the line.
 *
 * A profile is a stranger's, so it may only name files beside itself: a relative name without
 * "..", that is a regular file and no link. Anything else stays a line, and a warning says so.
 * Depth and size of everything together are bounded; blocks keep their own numbers. spec §18. */
#include "ovpn-build.h"

#include "properties/include.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/core/conf.h"
#include "service/profile.h"

enum { DEPTH_MAX = 10, FILES_MAX = 100 };

typedef struct Include {
  const char *directory;
  GPtrArray *warnings;
  gsize bytes; /* read so far */
  guint files, depth;
} Include;

static gboolean splice_in(Include *in, OvpnOptionList *from, OvpnOptionList *to, GError **error);

static gboolean is_beside(const char *name)
{
  g_auto(GStrv) parts = g_strsplit(name, "/", -1);
  return *name && *name != '/' && !g_strv_contains((const char *const *)parts, "..");
}

/* FALSE: errno says why. */
static gboolean read_whole(int fd, gsize limit, OvpnBlob *ret)
{
  char buffer[16384];
  struct stat st;
  if (fstat(fd, &st) < 0)
    return FALSE;
  errno = EINVAL;
  if (!S_ISREG(st.st_mode))
    return FALSE;
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) != 0;) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return FALSE;
    errno = EFBIG;
    if (ret->len + (gsize)n > limit || !ovpn_blob_append(ret, buffer, (gsize)n))
      return FALSE;
  }
  ovpn_wipe(buffer, sizeof(buffer));
  return TRUE;
}

static gboolean read_beside(Include *in, const char *name, OvpnBlob *ret)
{
  g_autofree char *path = g_build_filename(in->directory, name, NULL);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0)
    return FALSE;
  gboolean ok = read_whole(fd, OVPN_CONF_MAX - in->bytes, ret);
  int code = errno;
  close(fd);
  errno = code;
  in->bytes += ret->len;
  return ok;
}

static void warn(Include *in, const OvpnOption *o, const char *why)
{
  g_autofree char *name = g_utf8_make_valid(o->argv[1], -1);
  if (in->warnings)
    g_ptr_array_add(in->warnings,
                    g_strdup_printf(_("Line %u: the file “%s” is not part of the profile now: %s"),
                                    o->line, name, why));
}

/* Copies one option; its content moves. */
static gboolean move_option(OvpnOption *o, OvpnOptionList *to, int shift)
{
  OvpnOption *copy = ovpn_option_list_add(to, (const char *const *)o->argv, o->argc);
  if (!copy)
    return FALSE;
  copy->id = o->id;
  copy->line = o->line;
  copy->is_inline = o->is_inline;
  copy->is_optional = o->is_optional;
  copy->connection = o->connection < 0 ? -1 : o->connection + shift;
  copy->content = o->content;
  o->content = (OvpnBlob){0};
  return TRUE;
}

static int blocks_of(const OvpnOptionList *l)
{
  int max = -1;
  for (gsize i = 0; i < l->n; i++)
    max = MAX(max, l->items[i].connection);
  return max + 1;
}

/* TRUE also when the line has to stay; *ret_taken tells. */
static gboolean take(Include *in, const OvpnOption *o, OvpnOptionList *to, gboolean *ret_taken,
                     GError **error)
{
  ovpn_auto_option_list inner = {0};
  ovpn_auto_blob text = {0};
  OvpnConfError e = {0};
  const char *name = o->argv[1];
  *ret_taken = FALSE;
  if (!in->directory || !is_beside(name))
    return warn(in, o, _("only files in the folder of the profile are read")), TRUE;
  if (in->depth >= DEPTH_MAX || ++in->files > FILES_MAX)
    return warn(in, o, _("too many files that include each other")), TRUE;
  if (!read_beside(in, name, &text))
    return warn(in, o, g_strerror(errno)), TRUE;
  if (ovpn_conf_parse(text.data, text.len, &inner, &e) != OVPN_OK) {
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    g_set_error(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID, _("Line %u of “%s”: %s"),
                e.line, valid, e.text);
    return FALSE;
  }
  *ret_taken = TRUE;
  in->depth++;
  gboolean ok = splice_in(in, &inner, to, error);
  in->depth--;
  return ok;
}

static gboolean splice_in(Include *in, OvpnOptionList *from, OvpnOptionList *to, GError **error)
{
  int shift = blocks_of(to);
  for (gsize i = 0; i < from->n; i++) {
    OvpnOption *o = &from->items[i];
    gboolean taken = FALSE;
    int before = blocks_of(to);
    if (o->id == OVPN_OPT_CONFIG && o->argc == 2 && !o->is_inline && o->connection < 0 &&
        !take(in, o, to, &taken, error))
      return FALSE;
    if (taken) {
      shift += blocks_of(to) - before;
      continue;
    }
    if (!move_option(o, to, shift)) {
      g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                          _("The profile has too many options"));
      return FALSE;
    }
  }
  return TRUE;
}

gboolean nmovpn_include_files(OvpnOptionList *l, const char *directory, GPtrArray *warnings,
                              GError **error)
{
  ovpn_auto_option_list whole = {0};
  Include in = {.directory = directory, .warnings = warnings};
  if (!ovpn_option_list_last(l, OVPN_OPT_CONFIG))
    return TRUE;
  if (!splice_in(&in, l, &whole, error))
    return FALSE;
  ovpn_option_list_clear(l);
  *l = whole;
  whole = (OvpnOptionList){0};
  return TRUE;
}
