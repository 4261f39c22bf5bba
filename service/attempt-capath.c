/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capath: a directory of certificate authorities and revocation lists, each in a file named by the
 * hash of its subject (openssl rehash), becomes one text that goes to the engine like a file.
 *
 * The engine opens nothing, and this process opens no path of a profile: the names come from a
 * descriptor of the directory, and every file that has such a name is opened by the helper as the
 * owner of the connection, so that a profile reads what its owner may read and nothing else. Other
 * names are never opened. Bounded: files, bytes of one, bytes of all. DESIGN.md §2. */
#include <dirent.h>
#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "service/attempt-private.h"
#include "service/log.h"

enum { FILES_MAX = 1000, FILE_MAX = 65536, ALL_MAX = 1 << 20, HASH_DIGITS = 8 };

/* XXXXXXXX.N, a certificate, or XXXXXXXX.rN, a list of revoked ones; X a hexadecimal digit. */
static gboolean is_hash_name(const char *name)
{
  static const char hex[] = "0123456789abcdefABCDEF", digits[] = "0123456789";
  if (strspn(name, hex) != HASH_DIGITS || name[HASH_DIGITS] != '.')
    return FALSE;
  const char *n = name + HASH_DIGITS + 1;
  n += *n == 'r';
  return *n && strlen(n) <= 4 && strspn(n, digits) == strlen(n);
}

static int by_name(gconstpointer a, gconstpointer b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Consumes fd. NULL: it cannot be read. */
static GPtrArray *hash_names(int fd)
{
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close(fd);
    return NULL;
  }
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (struct dirent *e; names->len < FILES_MAX && (e = readdir(dir)) != NULL;)
    if (is_hash_name(e->d_name))
      g_ptr_array_add(names, g_strdup(e->d_name));
  closedir(dir);
  g_ptr_array_sort(names, by_name);
  return names;
}

/* Nothing of what is said here is secret, and what is no certificate is passed over there. */
static gboolean append_file(int fd, OvpnBlob *ret)
{
  g_autofree char *text = g_malloc(FILE_MAX);
  gsize len = 0;
  ssize_t n = 1;
  while (len < FILE_MAX && (n > 0 || errno == EINTR)) {
    n = read(fd, text + len, FILE_MAX - len);
    len += n > 0 ? (gsize)n : 0;
    if (n == 0)
      break;
  }
  return n == 0 && len > 0 && ret->len + len + 1 <= ALL_MAX && ovpn_blob_append(ret, text, len) &&
         ovpn_blob_append(ret, "\n", 1);
}

gboolean nmovpn_attempt_read_capath(NmOvpnAttempt *a, int fd, const char *path, OvpnBlob *ret,
                                    GError **error)
{
  const char *owner = nmovpn_connection_owner(a->connection);
  g_autoptr(GPtrArray) names = hash_names(fd);
  guint taken = 0;
  for (guint i = 0; names && i < names->len; i++) {
    g_autofree char *name = g_build_filename(path, names->pdata[i], NULL);
    g_autoptr(GError) local = NULL;
    int file = nmovpn_broker_open_file(a->broker, name, owner, FALSE, &local);
    gboolean ok = file >= 0 && append_file(file, ret);
    if (file >= 0)
      close(file);
    taken += ok;
    if (!ok) /* as OpenVPN: another one may be what is needed */
      nmovpn_log(LOG_NOTICE, "%s is left out: %s", name,
                 local ? local->message : "empty, too large, or too much with the others");
  }
  if (taken > 0)
    return TRUE;
  g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
              names ? _("The directory %s holds no certificate whose file is named by its hash, as "
                        "“openssl rehash” makes them.")
                    : _("The directory %s cannot be read."),
              path);
  return FALSE;
}
