/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After connecting, the service sleeps for hours, but the libraries it loaded and the pages of
 * code that were run once stay mapped: most of its resident memory.
 *
 * Free heap goes back to the system. Code and constants are unmapped page by page; they are still
 * in the system's cache and come back when they are used. Invariant: only segments that were never
 * writable are touched, because a page of any other may hold what the loader wrote into it. */
#include "service/settle.h"
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int release(struct dl_phdr_info *library, size_t size, void *user)
{
  uintptr_t page = *(uintptr_t *)user;
  if (library->dlpi_name && library->dlpi_name[0] && library->dlpi_name[0] != '/')
    return 0; /* the kernel's own; this program has no name */
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr) *s = &library->dlpi_phdr[i];
    if (s->p_type != PT_LOAD || s->p_flags & PF_W)
      continue;
    uintptr_t begin = (uintptr_t)(library->dlpi_addr + s->p_vaddr) & ~(page - 1);
    uintptr_t end = (uintptr_t)(library->dlpi_addr + s->p_vaddr + s->p_filesz) & ~(page - 1);
    if (end > begin)
      madvise((void *)begin, end - begin, MADV_DONTNEED);
  }
  return 0;
}

void nmovpn_settle(void)
{
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  dl_iterate_phdr(release, &page);
}
