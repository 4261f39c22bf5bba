/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target over files and folders of inputs, for compilers without libFuzzer.
 *
 * Each input is copied to an allocation of exactly its size, so that sanitizers see every byte too
 * many. An empty input is always tried, and each file also with its last byte cut off. A folder
 * that does not exist counts as empty: a target without a corpus is still run once. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned runs;

static void run_exact(const uint8_t *data, size_t size)
{
  uint8_t *copy = calloc(1, size ? size : 1);
  if (!copy)
    exit(2);
  memcpy(copy, data, size);
  (void)LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  runs++;
}

static int run_file(const char *path)
{
  static uint8_t buf[1 << 20];
  FILE *f = fopen(path, "rbe");
  if (!f) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  size_t n = fread(buf, 1, sizeof(buf), f);
  fclose(f);
  run_exact(buf, n);
  if (n)
    run_exact(buf, n - 1);
  return 0;
}

static int run_folder(const char *path)
{
  DIR *d = opendir(path);
  if (!d)
    return errno != ENOENT;
  int bad = 0;
  for (struct dirent *e; (e = readdir(d));) {
    char name[4096];
    if (e->d_name[0] == '.')
      continue;
    if (snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name))
      bad |= run_file(name);
  }
  closedir(d);
  return bad;
}

int main(int argc, char **argv)
{
  int bad = 0;
  run_exact((const uint8_t *)"", 0);
  for (int i = 1; i < argc; i++) {
    struct stat st;
    if (stat(argv[i], &st) == 0 && S_ISREG(st.st_mode))
      bad |= run_file(argv[i]);
    else
      bad |= run_folder(argv[i]);
  }
  printf("%u inputs\n", runs);
  return bad;
}
