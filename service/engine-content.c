/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a profile that have no name, only content: they reach the engine as sealed memory, so
 * that it reads them like any other. DESIGN.md §2. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "service/engine-client.h"

gboolean nmovpn_engine_send_file_content(NmOvpnEngine *e, OvpnFileId id, const void *data,
                                         gsize len, GError **error)
{
  int fd = memfd_create("nm-ovpn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  gboolean ok = fd >= 0;
  for (gsize done = 0; ok && done < len;) {
    ssize_t n = write(fd, (const char *)data + done, len - done);
    ok = n > 0 || (n < 0 && errno == EINTR);
    done += n > 0 ? (gsize)n : 0;
  }
  ok = ok && lseek(fd, 0, SEEK_SET) == 0 &&
       fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
  if (!ok)
    g_set_error(error, NMOVPN_ENGINE_ERROR, NMOVPN_ENGINE_ERROR_SEND, "memory file: %s",
                g_strerror(errno));
  else
    ok = nmovpn_engine_send_file(e, id, fd, error);
  if (fd >= 0)
    close(fd);
  return ok;
}
