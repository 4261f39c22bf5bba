/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.def against the words that the versions of OpenVPN know (option-names.txt, first
 * argument): none is missing, and every row that does nothing says why. */
#include "check.h"
#include "helper/core/options.h"

static void check_names(FILE *f)
{
  char line[256];
  unsigned n = 0;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, " \n")] = 0;
    if (line[0] == '#' || !line[0])
      continue;
    n++;
    if (!ovpn_option_by_directive(line)) {
      fprintf(stderr, "options.def has no row for %s\n", line);
      check_failed_++;
    }
  }
  CHECK(n >= 330);
}

/* One fate for each option. */
static void check_fates(void)
{
  const uint32_t fates =
      OVPN_OPTF_HARMLESS | OVPN_OPTF_NEVER | OVPN_OPTF_SERVER | OVPN_OPTF_LATER | OVPN_OPTF_REFUSED;
  for (unsigned i = 1; i <= ovpn_option_count(); i++) {
    const OvpnOptionInfo *o = ovpn_option_info((OvpnOptionId)i);
    if (__builtin_popcount(o->flags & fates) > 1) {
      fprintf(stderr, "%s: more than one fate\n", o->directive);
      check_failed_++;
    }
    if (o->reason && (strlen(o->reason) < 10 || strchr(o->reason, '\n'))) {
      fprintf(stderr, "%s: an odd reason\n", o->directive);
      check_failed_++;
    }
  }
}

int main(int argc, char **argv)
{
  FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
  CHECK(f != NULL);
  if (f) {
    check_names(f);
    fclose(f);
  }
  check_fates();
  TEST_END();
}
