/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ping, OCC, compression framing, MSS arithmetic (published values, spec §16.3) and SYN rewriting.
 */
#include "helper/core/inner.h"
#include "helper/core/pack.h"
#include "helper/core/wire.h"
#include "check.h"
#include <lz4.h>
#include <lzo/lzo1x.h>

static void test_classify(void)
{
  uint8_t buf[32];
  CHECK_INT(ovpn_inner_classify(ovpn_ping_magic, 16), OVPN_INNER_PING);
  CHECK_INT(ovpn_inner_classify(ovpn_ping_magic, 15), OVPN_INNER_PACKET);
  memcpy(buf, ovpn_ping_magic, 16);
  CHECK_INT(ovpn_inner_classify(buf, 17), OVPN_INNER_PACKET);
  CHECK_INT(ovpn_occ_exit(buf, 16), 0);
  CHECK_INT(ovpn_occ_exit(buf, sizeof(buf)), 17);
  CHECK_INT(ovpn_inner_classify(buf, 17), OVPN_INNER_OCC_EXIT);
  CHECK_INT(ovpn_inner_classify(buf, 20), OVPN_INNER_OCC_EXIT);
  CHECK_INT(ovpn_inner_classify(buf, 16), OVPN_INNER_PACKET);
  buf[16] = 0;
  CHECK_INT(ovpn_inner_classify(buf, 17), OVPN_INNER_OCC_OTHER);
  CHECK_INT(ovpn_inner_classify(buf, 0), OVPN_INNER_PACKET);
}

static void expect_frame(OvpnCompress mode, const char *payload_hex, const char *framed_hex)
{
  uint8_t buf[64], payload[32], framed[40], scratch[64], *p = buf + 8;
  size_t np = check_unhex(payload_hex, payload, sizeof(payload)), len = np;
  size_t nf = check_unhex(framed_hex, framed, sizeof(framed));
  memcpy(p, payload, np);
  ovpn_frame_add(mode, &p, &len);
  CHECK_INT(len, nf);
  CHECK_MEM(p, framed, nf);
  CHECK_INT(ovpn_frame_remove(mode, &p, &len, scratch, sizeof(scratch)), OVPN_OK);
  CHECK_INT(len, np);
  CHECK_MEM(p, payload, np);
}

static OvpnStatus remove_hex(OvpnCompress mode, const char *hex)
{
  uint8_t buf[64], scratch[64], *p = buf;
  size_t len = check_unhex(hex, buf, sizeof(buf));
  return ovpn_frame_remove(mode, &p, &len, scratch, sizeof(scratch));
}

static void test_frames(void)
{
  expect_frame(OVPN_COMP_NONE, "45010203", "45010203");
  expect_frame(OVPN_COMP_LZO, "45010203", "fa45010203");
  expect_frame(OVPN_COMP_STUB, "45010203", "fb01020345");
  expect_frame(OVPN_COMP_STUB, "45", "fb45");
  expect_frame(OVPN_COMP_LZ4, "45010203", "fb01020345");
  expect_frame(OVPN_COMP_STUB_V2, "45010203", "45010203");
  expect_frame(OVPN_COMP_STUB_V2, "50010203", "500050010203");
  expect_frame(OVPN_COMP_LZ4_V2, "50", "500050");
  CHECK_INT(remove_hex(OVPN_COMP_LZO, "fb01"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZO, "45010203"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZO, "66"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZO, "66ffffffff"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZO, "fa"), OVPN_DROP_EMPTY);
  CHECK_INT(remove_hex(OVPN_COMP_STUB, "fa01"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_STUB, "690102"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZ4, "fb"), OVPN_DROP_EMPTY);
  CHECK_INT(remove_hex(OVPN_COMP_LZ4, "69ffffffff"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_STUB_V2, "500145"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZ4_V2, "500245"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZ4_V2, "50"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_LZ4_V2, "5001"), OVPN_DROP_FRAMING);
  CHECK_INT(remove_hex(OVPN_COMP_STUB_V2, "5000"), OVPN_DROP_EMPTY);
  for (int m = OVPN_COMP_NONE; m <= OVPN_COMP_LZ4_V2; m++)
    CHECK_INT(remove_hex((OvpnCompress)m, ""), OVPN_DROP_EMPTY);
}

/* What a compressing peer sends; and a scratch buffer that is one byte too small. */
static void test_decompress(void)
{
  static uint8_t text[1400], packed[2000], frame[2100], scratch[1400], work[LZO1X_1_MEM_COMPRESS];
  for (unsigned i = 0; i < sizeof(text); i++)
    text[i] = (uint8_t)(i / 100);
  for (unsigned kind = 0; kind < 3; kind++) {
    OvpnCompress mode = kind == 0 ? OVPN_COMP_LZO : kind == 1 ? OVPN_COMP_LZ4 : OVPN_COMP_LZ4_V2;
    lzo_uint n = sizeof(packed);
    if (kind == 0)
      CHECK_INT(lzo1x_1_compress(text, sizeof(text), packed, &n, work), LZO_E_OK);
    else
      n = (lzo_uint)LZ4_compress_default((const char *)text, (char *)packed, sizeof(text),
                                         sizeof(packed));
    for (size_t cap = sizeof(scratch); cap >= sizeof(scratch) - 1; cap--) {
      size_t len = 1 + n;
      if (kind == 0) {
        frame[0] = 0x66;
        memcpy(frame + 1, packed, n);
      } else if (kind == 1) {
        frame[0] = 0x69;
        memcpy(frame + 1, packed + 1, n - 1);
        frame[n] = packed[0];
      } else {
        frame[0] = 0x50;
        frame[1] = 1;
        memcpy(frame + 2, packed, n);
        len++;
      }
      uint8_t *p = frame;
      OvpnStatus st = ovpn_frame_remove(mode, &p, &len, scratch, cap);
      if (cap < sizeof(text)) {
        CHECK_INT(st, OVPN_DROP_FRAMING);
        CHECK(p == frame);
        continue;
      }
      CHECK_INT(st, OVPN_OK);
      CHECK(p == scratch && len == sizeof(text));
      CHECK_MEM(p, text, sizeof(text));
    }
  }
}

/* What is packed comes out again; what does not get shorter is left alone. */
static void test_pack(void)
{
  static const OvpnCompress modes[] = {OVPN_COMP_LZO, OVPN_COMP_LZ4, OVPN_COMP_LZ4_V2};
  static uint8_t buf[70000], text[65536], scratch[65536];
  OvpnPacker *k = ovpn_packer_new();
  uint32_t x = 1;
  for (size_t i = 0; i < 9; i++) {
    OvpnCompress mode = modes[i % 3];
    size_t size = i < 3 ? 100 : i < 6 ? 1400 : sizeof text, len = size;
    for (size_t j = 0; j < size; j++)
      text[j] = (uint8_t)(j % 23);
    uint8_t *p = buf + 64;
    memcpy(p, text, len);
    CHECK(ovpn_packer_add(k, 0, mode, false, &p, &len));
    CHECK(len < size);
    CHECK_INT(ovpn_frame_remove(mode, &p, &len, scratch, sizeof scratch), OVPN_OK);
    CHECK_INT(len, size);
    CHECK_MEM(p, text, size);
    for (size_t j = 0; j < size; j++)
      text[j] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    p = buf + 64;
    len = size;
    memcpy(p, text, len);
    CHECK(!ovpn_packer_add(k, 0, mode, false, &p, &len));
    CHECK(p == buf + 64 && len == size);
    CHECK_MEM(p, text, size);
  }
  uint8_t *p = buf + 64;
  size_t len = 99;
  memset(p, 0, 1500);
  CHECK(!ovpn_packer_add(k, 0, OVPN_COMP_LZO, false, &p, &len)); /* small */
  len = 1400;
  CHECK(!ovpn_packer_add(k, 0, OVPN_COMP_NONE, false, &p, &len));
  CHECK(!ovpn_packer_add(k, 0, OVPN_COMP_STUB, false, &p, &len));
  CHECK(!ovpn_packer_add(k, 0, OVPN_COMP_STUB_V2, false, &p, &len));
  ovpn_packer_free(k);
  ovpn_packer_free(NULL);
}

/* Two seconds of noise, and adaptive LZO rests for a minute. */
static void test_pack_adaptive(void)
{
  static uint8_t buf[2000], noise[1400];
  const uint64_t s = 1000000000;
  uint32_t x = 1;
  for (size_t j = 0; j < sizeof noise; j++)
    noise[j] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
  OvpnPacker *k = ovpn_packer_new();
  static const struct {
    unsigned at, times;
    bool noise, packed;
  } steps[] = {{10, 1, false, true},  {11, 60, true, false}, {11, 1, false, true},
               {13, 1, false, false}, {72, 9, false, false}, {74, 1, false, true}};
  for (size_t i = 0, n = 0; i < sizeof steps / sizeof steps[0]; n++) {
    if (n == steps[i].times) {
      n = 0;
      if (++i == sizeof steps / sizeof steps[0])
        break;
    }
    uint8_t *p = buf + 64;
    size_t len = sizeof noise;
    if (steps[i].noise)
      memcpy(p, noise, len);
    else
      memset(p, 'a', len);
    CHECK_INT(ovpn_packer_add(k, steps[i].at * s, OVPN_COMP_LZO, true, &p, &len), steps[i].packed);
  }
  ovpn_packer_free(k);
}

static unsigned mss_gcm(const OvpnConfig *c, unsigned mtu, bool tcp, bool v6)
{
  return ovpn_mss(c, mtu, tcp, v6, false, 1, 20, true, false, 0);
}

static void no_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0xa5, len);
}

static void test_occ(void)
{
  uint8_t ask[19], buf[OVPN_OCC_MAX];
  uint16_t load = 7;
  CHECK_INT(ovpn_occ_request(ask, sizeof ask), 17);
  CHECK_INT(ovpn_occ_question(ask, 17, &load), 1 << OVPN_OCC_REQUEST);
  CHECK_INT(ovpn_occ_question(ask, 16, &load), 0);
  for (uint8_t op = 0; op < 40; op++) {
    ask[16] = op;
    ask[17] = 4;
    ask[18] = 1;
    bool asks =
        op == OVPN_OCC_REQUEST || op == OVPN_OCC_MTU_REQUEST || op == OVPN_OCC_MTU_LOAD_REQUEST;
    CHECK_INT(ovpn_occ_question(ask, 19, &load), asks ? 1 << op : 0);
  }
  CHECK_INT(load, 1025);
  ask[16] = OVPN_OCC_MTU_LOAD_REQUEST;
  CHECK_INT(ovpn_occ_question(ask, 18, &load), 0); /* half a size */
  CHECK_INT(load, 1025);

  OvpnOccAnswer a = {.questions = 0xff,
                     .load = 1025,
                     .options = "V4,x",
                     .largest_in = 0x102,
                     .largest_out = 0x304};
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 17 + 5);
  CHECK_INT(buf[16], OVPN_OCC_REPLY);
  CHECK_MEM(buf + 17, "V4,x", 5);
  CHECK_INT(ovpn_inner_classify(buf, 22), OVPN_INNER_OCC_OTHER);
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 21);
  CHECK_MEM(buf + 16, "\5\1\2\3\4", 5);
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 1025);
  CHECK_INT(buf[16], OVPN_OCC_MTU_LOAD);
  CHECK_INT(buf[1024], 0xa5);
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 0);
  a = (OvpnOccAnswer){.questions = 1 << OVPN_OCC_REQUEST, .options = ""}; /* disable-occ */
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 0);
  a = (OvpnOccAnswer){.questions = 1 << OVPN_OCC_MTU_LOAD_REQUEST, .load = 65535, .options = ""};
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), OVPN_OCC_MAX);
  a = (OvpnOccAnswer){.questions = 1 << OVPN_OCC_MTU_LOAD_REQUEST, .load = 3, .options = ""};
  CHECK_INT(ovpn_occ_answer(&a, no_random, NULL, buf, sizeof buf), 17);
}

/* A path that takes less than Ethernet. */
static void test_mss_path(void)
{
  OvpnConfig c = {.mssfix = -1, .tun_mtu_extra = -1};
#define ON_PATH(tcp, v6, mtu) ovpn_mss(&c, 1500, tcp, v6, false, 1, 20, true, false, mtu)
  CHECK_INT(ON_PATH(false, false, 1500), 1400);
  CHECK_INT(ON_PATH(false, false, 9000), 1400);
  CHECK_INT(ON_PATH(false, false, 1499), 1400);
  CHECK_INT(ON_PATH(false, false, 1300), 1300 - 28 - 24 - 40);
  CHECK_INT(ON_PATH(false, true, 1300), 1300 - 48 - 24 - 40);
  CHECK_INT(ON_PATH(true, false, 1300), 1386); /* a stream is cut anywhere */
  CHECK_INT(ON_PATH(false, false, 80), 1400);  /* nothing would fit */
  c.mssfix = 1300;
  CHECK_INT(ON_PATH(false, false, 1310), 1310 - 28 - 24 - 40);
  c.mssfix = 1200;
  CHECK_INT(ON_PATH(false, false, 1310), 1200 - 64);
  c.mssfix_fixed = true;
  CHECK_INT(ON_PATH(false, false, 1100), 1160);
  c = (OvpnConfig){.mssfix = 0};
  CHECK_INT(ON_PATH(false, false, 1300), 0);
  c = (OvpnConfig){.mssfix = -1, .link_mtu = 1500};
  CHECK_INT(ON_PATH(false, false, 1300), 1300 - 28 - 24 - 40);
  c = (OvpnConfig){.mssfix = -1, .fragment = 1300};
  CHECK_INT(ON_PATH(false, false, 1250), 1250 - 28 - 24 - 4 - 40);
#undef ON_PATH
}

static void test_mss(void)
{
  OvpnConfig c = {.mssfix = -1, .tun_mtu_extra = -1};
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1400);
  CHECK_INT(mss_gcm(&c, 1500, false, true), 1380);
  CHECK_INT(mss_gcm(&c, 1500, true, false), 1400 - 12 - 2);
  CHECK_INT(ovpn_mss(&c, 1500, false, false, false, 1, 24, true, false, 0), 1396); /* epoch */
  CHECK_INT(ovpn_mss(&c, 1500, false, false, false, 1, 20, true, true, 0), 1399);
  CHECK_INT(ovpn_mss(&c, 1500, false, false, false, 1, 20, false, false, 0), 1403);
  CHECK_INT(mss_gcm(&c, 1400, false, false), 1360); /* tun-mtu fixed */
  c.proxy_type = (char *)"socks";
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1390);
  c.proxy_type = NULL;
  c.mssfix = 0;
  CHECK_INT(mss_gcm(&c, 1500, false, false), 0);
  for (c.mssfix = 900; c.mssfix < 1200; c.mssfix++) /* published: i - 64 */
    CHECK_INT(mss_gcm(&c, 1500, false, false), c.mssfix - 64);
  c.mssfix_fixed = true;
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1160);
  c = (OvpnConfig){.mssfix = -1, .fragment = 1300};
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1300 - 64 - 4 - 28);
  c.tun_mtu_extra = 10;
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1300 - 64 - 4 - 28 - 10);
  c = (OvpnConfig){.mssfix = -1, .tun_mtu_extra = -1, .tap = true};
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1368);
  c = (OvpnConfig){.mssfix = -1, .link_mtu = 1400};
  CHECK_INT(mss_gcm(&c, 1500, false, false), 1460);
  c = (OvpnConfig){.mssfix = 50};
  CHECK_INT(mss_gcm(&c, 1500, false, false), 0);
  /* AES-256-CBC, SHA256, peer-id: 1492-28-4-48 = 1412 -> 1408-1-40-4 */
  c = (OvpnConfig){.mssfix = -1};
  CHECK_INT(ovpn_mss(&c, 1500, false, false, true, 16, 48, true, false, 0), 1363);
  /* static key mode: 8-byte ids, no head; published values */
  c.files[OVPN_FILE_SECRET].name = (char *)"static.key";
  c.mssfix = 1000;
  CHECK_INT(ovpn_mss(&c, 1500, false, false, false, 1, 8, false, false, 0), 952); /* none, none */
  CHECK_INT(ovpn_mss(&c, 1500, false, false, false, 1, 8, false, true, 0), 951);
  CHECK_INT(ovpn_mss(&c, 1500, false, false, true, 16, 16, false, false, 0), 927); /* AES-128-CBC */
  CHECK_INT(ovpn_mss_compute(1000, 0, 0, 8), 952);
  CHECK_INT(ovpn_mss_compute(1000, 0, 0, 9), 951);
  for (unsigned i = 990; i < 1010; i++) {
    unsigned want = i <= 991 ? 911 : i <= 1007 ? 927 : 943;
    CHECK_INT(ovpn_mss_compute(i, 16, 16, 8), want);
    CHECK_INT(ovpn_mss_compute(i, 16, 16, 9), want - 1);
  }
  CHECK_INT(ovpn_mss_compute(10, 20, 16, 0), 0);
}

/* One's complement sum of a pseudo header and a TCP segment; 0 = correct. */
static uint16_t tcp_sum(const uint8_t *ip, size_t ip_len, size_t addrs_at, size_t addrs_len,
                        size_t tcp_at)
{
  uint32_t s = 6 + (uint32_t)(ip_len - tcp_at);
  for (size_t i = 0; i < addrs_len; i += 2)
    s += (uint32_t)(ip[addrs_at + i] << 8 | ip[addrs_at + i + 1]);
  for (size_t i = tcp_at; i < ip_len; i++)
    s += (i - tcp_at) % 2 ? ip[i] : (uint32_t)ip[i] << 8;
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return (uint16_t)~s;
}

/* A SYN with `nops` NOPs in front of the MSS option. */
static size_t make_syn(uint8_t *p, bool v6, unsigned nops, unsigned mss, uint8_t flags)
{
  size_t ip = v6 ? 40 : 20, len = ip + 20 + 8;
  memset(p, 0, len);
  if (v6) {
    p[0] = 0x60;
    p[5] = 28;
    p[6] = 6;
  } else {
    p[0] = 0x45;
    p[3] = 48;
    p[9] = 6;
  }
  for (size_t i = v6 ? 8 : 12; i < ip; i++)
    p[i] = (uint8_t)(i * 7);
  uint8_t *t = p + ip;
  t[1] = 80;
  t[12] = 7 << 4;
  t[13] = flags;
  memset(t + 20, 1, nops);
  t[20 + nops] = 2;
  t[21 + nops] = 4;
  t[22 + nops] = (uint8_t)(mss >> 8);
  t[23 + nops] = (uint8_t)mss;
  uint16_t sum = tcp_sum(p, len, v6 ? 8 : 12, v6 ? 32 : 8, ip);
  t[16] = (uint8_t)(sum >> 8);
  t[17] = (uint8_t)sum;
  return len;
}

static void test_mssfix(void)
{
  uint8_t p[128], before[128];
  for (unsigned v6 = 0; v6 < 2; v6++) {
    for (unsigned nops = 0; nops < 5; nops++) {
      size_t ip = v6 ? 40 : 20, len = make_syn(p, v6, nops, 1460, 0x12);
      ovpn_mssfix(p, len, false, 1301);
      CHECK_INT(p[ip + 22 + nops] << 8 | p[ip + 23 + nops], v6 ? 1281 : 1301);
      CHECK_INT(tcp_sum(p, len, v6 ? 8 : 12, v6 ? 32 : 8, ip), 0);
      memcpy(before, p, len);
      ovpn_mssfix(p, len, false, 1400); /* never raised */
      CHECK_MEM(p, before, len);
      make_syn(p, v6, nops, 1460, 0x10); /* no SYN */
      memcpy(before, p, len);
      ovpn_mssfix(p, len, false, 1000);
      CHECK_MEM(p, before, len);
      make_syn(p, v6, nops, 1460, 0x02);
      memcpy(before, p, len);
      for (size_t cut = 0; cut < len; cut++) /* cut packets are left alone */
        ovpn_mssfix(p, cut, false, 1000);
      ovpn_mssfix(p, len, false, 0);
      CHECK_MEM(p, before, len);
    }
  }
  size_t len = make_syn(p, false, 0, 1460, 2);
  p[6] = 0x20; /* more fragments */
  memcpy(before, p, len);
  ovpn_mssfix(p, len, false, 1000);
  CHECK_MEM(p, before, len);
  make_syn(p, false, 0, 1460, 2);
  p[41] = 0; /* option of length 0 */
  memcpy(before, p, len);
  ovpn_mssfix(p, len, false, 1000);
  CHECK_MEM(p, before, len);
}

static void test_mssfix_tap(void)
{
  for (unsigned tags = 0; tags < 4; tags++) {
    uint8_t f[160] = {0};
    size_t at = 12;
    for (unsigned t = 0; t < tags; t++, at += 4)
      f[at] = 0x81;
    f[at] = 0x08;
    at += 2;
    size_t len = at + make_syn(f + at, false, 0, 1460, 2);
    ovpn_mssfix(f, len, true, 1000);
    CHECK_INT(f[at + 42] << 8 | f[at + 43], tags < 3 ? 1000 : 1460);
    if (tags == 0) {
      make_syn(f + at, false, 0, 1460, 2);
      f[13] = 6; /* ARP */
      ovpn_mssfix(f, len, true, 1000);
      CHECK_INT(f[at + 42] << 8 | f[at + 43], 1460);
    }
  }
}

int main(void)
{
  test_classify();
  test_frames();
  test_decompress();
  test_pack();
  test_pack_adaptive();
  test_occ();
  test_mss();
  test_mss_path();
  test_mssfix();
  test_mssfix_tap();
  TEST_END();
}
