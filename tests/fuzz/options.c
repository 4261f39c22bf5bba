/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sanitizers while fuzzing: memory that was freed soon serves again, or every input would be busy
 * with pages that the kernel has to clear. */

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
  return "quarantine_size_mb=4:thread_local_quarantine_size_kb=64:malloc_context_size=8";
}
