/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of nm-ovpn-signer, and the engine's question over a socket pair. Answers lie in the
 * socket before the question is asked; nothing waits. */
#include <sys/socket.h>
#include <unistd.h>
#include "helper/core/signer.h"
#include "helper/engine/engine.h"
#include "tests/unit/check.h"

static void test_start(void)
{
  uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  char one[] = "/usr/lib/one.so", two[] = "/usr/lib/two.so", pin[OVPN_SIGNER_PIN_MAX + 2];
  char *modules[] = {one, two};
  OvpnSignerStart s = {0};
  size_t n = ovpn_signer_write_start(buf, sizeof buf, NULL, "pkcs11:a", "1234", modules, 2);
  CHECK(n > 0 && ovpn_signer_read_start(buf, n, &s));
  CHECK_STR(s.cert, "");
  CHECK_STR(s.key, "pkcs11:a");
  CHECK_INT(s.pin.len, 4);
  CHECK_INT(s.n_modules, 2);
  CHECK_STR(s.modules[1], two);
  ovpn_signer_start_clear(&s);
  CHECK(!s.key && !s.pin.data);
  for (size_t i = 0; i < n; i++)
    CHECK(!ovpn_signer_read_start(buf, i, &s) && !s.key);
  CHECK(!ovpn_signer_read_start(buf, n + 1, &s));
  memset(pin, '1', sizeof pin - 1);
  pin[sizeof pin - 1] = 0;
  CHECK_INT(ovpn_signer_write_start(buf, sizeof buf, NULL, "pkcs11:a", pin, NULL, 0), 0);
  CHECK_INT(ovpn_signer_write_start(buf, sizeof buf, NULL, "", NULL, NULL, 0), 0);
  CHECK_INT(ovpn_signer_write_start(buf, 10, NULL, "pkcs11:a", NULL, NULL, 0), 0);
}

static void test_ready(void)
{
  uint8_t buf[64];
  OvpnSignerReady r = {OVPN_SIGNER_OK, NULL, (const uint8_t *)"pem", 3}, got = {0};
  size_t n = ovpn_signer_write_ready(buf, sizeof buf, &r);
  CHECK(n > 0 && ovpn_signer_read_ready(buf, n, &got));
  CHECK_INT(got.cert_len, 3);
  CHECK_STR(got.text, "");
  free(got.text);
  buf[0] = OVPN_SIGNER_FAILED; /* with a certificate */
  CHECK(!ovpn_signer_read_ready(buf, n, &got));
  buf[0] = OVPN_SIGNER_FAILED + 1;
  CHECK(!ovpn_signer_read_ready(buf, n, &got));
  CHECK_INT(ovpn_signer_write_ready(buf, 8, &r), 0);
}

static void put(int fd, uint32_t serial, OvpnSignerResult result, const char *signature)
{
  uint8_t buf[OVPN_SIGNER_ANSWER_MAX];
  size_t n = ovpn_signer_write_answer(
      buf, sizeof buf, &(OvpnSignerAnswer){serial, result, signature, strlen(signature)});
  CHECK(n > 0 && send(fd, buf, n, 0) == (ssize_t)n);
}

static size_t ask(Engine *e, uint8_t ret[OVPN_SIGNATURE_MAX])
{
  return signing_sign(e, OVPN_SIGNER_HASH, 6, 7, "hash", 4, ret);
}

static void test_question(void)
{
  static Engine e;
  static uint8_t data[OVPN_SIGNER_DATA_MAX + 1], ret[OVPN_SIGNATURE_MAX], buf[8192];
  OvpnSignerRequest q = {0};
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    exit(1);
  e.signer = -1;
  CHECK_INT(ask(&e, ret), 0);
  e.signer = pair[0];
  e.signer_serial = 0;
  put(pair[1], 1, OVPN_SIGNER_OK, "first");
  CHECK_INT(ask(&e, ret), 5);
  CHECK_MEM(ret, "first", 5);
  ssize_t n = recv(pair[1], buf, sizeof buf, MSG_DONTWAIT);
  CHECK(n > 0 && ovpn_signer_read_request(buf, (size_t)n, &q));
  CHECK(q.serial == 1 && q.op == OVPN_SIGNER_HASH && q.algorithm == 6 && q.flags == 7);
  CHECK(q.len == 4 && memcmp(q.data, "hash", 4) == 0);
  /* a late answer to the question before is not the answer to this one */
  put(pair[1], 1, OVPN_SIGNER_OK, "late");
  put(pair[1], 2, OVPN_SIGNER_OK, "second");
  CHECK_INT(ask(&e, ret), 6);
  CHECK_MEM(ret, "second", 6);
  put(pair[1], 3, OVPN_SIGNER_FAILED, "");
  CHECK_INT(ask(&e, ret), 0);
  /* longer than any answer, though its beginning looks like one */
  memset(buf, 0, sizeof buf);
  buf[3] = 4;
  buf[5] = OVPN_SIGNATURE_MAX >> 8;
  CHECK(send(pair[1], buf, OVPN_SIGNER_ANSWER_MAX + 1, 0) > 0);
  CHECK_INT(ask(&e, ret), 0);
  CHECK_INT(signing_sign(&e, OVPN_SIGNER_DATA, 6, 0, data, sizeof data, ret), 0);
  CHECK(shutdown(pair[1], SHUT_WR) == 0);
  CHECK_INT(ask(&e, ret), 0);
  close(pair[1]);
  CHECK_INT(ask(&e, ret), 0);
  close(pair[0]);
}

int main(void)
{
  test_start();
  test_ready();
  test_question();
  TEST_END();
}
