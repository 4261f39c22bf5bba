/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a profile names by path -> blocks, so that the exported file stands alone.
 *
 * Files are read as the person who exports; what cannot be read, or cannot stand in a block, keeps
 * its path and is reported. Content can be a private key: buffers are wiped. spec §18.4. */
#include "ovpn-build.h"

#include "properties/export-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/profile.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

/* Certificates go without the private keys that stand in the same file. */
static gboolean append_block(GString *s, OvpnOptionId id, const OvpnBlob *content)
{
  ovpn_auto_blob public = {0};
  const char *argv[] = {ovpn_option_info(id)->directive, NULL};
  OvpnOption block = {.id = id, .argc = 1, .argv = (char **)argv, .is_inline = true};
  block.content = *content;
  if (id == OVPN_OPT_CERT || id == OVPN_OPT_CA || id == OVPN_OPT_EXTRA_CERTS) {
    if (!nmovpn_pem_without_keys(content->data, content->len, &public))
      return FALSE;
    if (public.len)
      block.content = public;
  }
  char *text = nmovpn_option_text(&block);
  if (text)
    g_string_append(s, text);
  ovpn_secret_free(text);
  return text != NULL;
}

static gboolean is_pem(const OvpnBlob *b)
{
  return b->len && memmem(b->data, b->len, "-----BEGIN ", 11);
}

static gboolean names_a_file(const OvpnOption *o)
{
  uint32_t want = OVPN_OPTF_FILE | OVPN_OPTF_INLINE;
  return (ovpn_option_info(o->id)->flags & want) == want && !o->is_inline && o->argc > 1 &&
         o->argv[1][0] != '[' && g_ascii_strncasecmp(o->argv[1], "pkcs11:", 7) != 0 &&
         !(o->id == OVPN_OPT_CRL_VERIFY && o->argc > 2);
}

/* Why not; NULL: it was read. */
static const char *read_file(const char *path, OvpnBlob *ret)
{
  char buffer[16384];
  struct stat st;
  const char *why = NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return g_strerror(errno);
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
    why = _("it is not a regular file");
  for (ssize_t n = 1; !why && n != 0;) {
    n = read(fd, buffer, sizeof(buffer));
    if (n < 0)
      why = g_strerror(errno);
    else if (ret->len + (gsize)n > FILE_MAX_BYTES ||
             (n > 0 && !ovpn_blob_append(ret, buffer, (gsize)n)))
      why = _("it is too large");
  }
  ovpn_wipe(buffer, sizeof(buffer));
  close(fd);
  return why;
}

/* DER is written as base64; only a PKCS#12 block is read that way. */
static const char *make_text(const OvpnOption *o, OvpnBlob *content)
{
  if (o->id == OVPN_OPT_PKCS12) {
    char *b64 = g_base64_encode(content->data ? content->data : (guint8 *)"", content->len);
    gsize len = strlen(b64);
    ovpn_blob_clear(content);
    gboolean ok = TRUE;
    for (gsize i = 0; i < len && ok; i += 64)
      ok = ovpn_blob_append(content, b64 + i, MIN(len - i, 64)) &&
           ovpn_blob_append(content, "\n", 1);
    ovpn_secret_free(b64);
    return ok && len ? NULL : _("it is empty");
  }
  if (!content->len)
    return _("it is empty");
  if (memchr(content->data, 0, content->len))
    return _("it is not a text file");
  g_autofree char *tag = g_strdup_printf("</%s>", ovpn_option_info(o->id)->directive);
  return memmem(content->data, content->len, tag, strlen(tag)) ? _("it is not a plain file") : NULL;
}

gboolean export_file_as_block(GString *s, const OvpnOption *o, GPtrArray *warnings)
{
  ovpn_auto_blob content = {0};
  if (!names_a_file(o))
    return FALSE;
  const char *why = read_file(o->argv[1], &content);
  /* One file for certificate and key can be either; older profiles do not tell. */
  gboolean both = !why && o->id == OVPN_OPT_PKCS12 && is_pem(&content);
  if (!why && !both)
    why = make_text(o, &content);
  if (why) {
    g_autofree char *path = g_utf8_make_valid(o->argv[1], -1);
    if (warnings)
      g_ptr_array_add(warnings, g_strdup_printf(_("“%s” still names the file %s: %s"),
                                                ovpn_option_info(o->id)->directive, path, why));
    return FALSE;
  }
  if (both)
    return append_block(s, OVPN_OPT_CERT, &content) && append_block(s, OVPN_OPT_KEY, &content);
  if (!append_block(s, o->id, &content))
    return FALSE;
  /* A block has no room for the direction. */
  if (o->argc > 2 && (o->id == OVPN_OPT_TLS_AUTH || o->id == OVPN_OPT_SECRET))
    g_string_append_printf(s, "%s %s\n", ovpn_option_info(OVPN_OPT_KEY_DIRECTION)->directive,
                           o->argv[2]);
  return TRUE;
}
