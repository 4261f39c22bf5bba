/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reliable layer by its rules, and two ends over a lossy, reordering, duplicating wire. spec
 * §3. */
#include "helper/core/reliable.h"
#include "check.h"

static const uint64_t S = 1000000000;

static void test_retransmission(void)
{
  static OvpnReliable r;
  ovpn_reliable_init(&r, 2 * S);
  CHECK(ovpn_reliable_idle(&r) && ovpn_reliable_deadline(&r) == UINT64_MAX);
  CHECK(ovpn_reliable_queue(&r, OVPN_OP_HARD_RESET_CLIENT_V3, "abc", 3, true, 100 * S));
  CHECK(!ovpn_reliable_idle(&r));
  /* measured resets: 0, 2, 6, 14 s */
  static const unsigned at[] = {0, 2, 6, 14, 30};
  for (size_t i = 0; i < 5; i++) {
    uint64_t now = (100 + at[i]) * S;
    CHECK_INT(ovpn_reliable_deadline(&r), now);
    CHECK(!ovpn_reliable_due(&r, now - 1));
    const OvpnSendSlot *s = ovpn_reliable_due(&r, now);
    CHECK(s && s->id == 0 && s->wkc && s->len == 3 && s->opcode == OVPN_OP_HARD_RESET_CLIENT_V3);
    CHECK(!ovpn_reliable_due(&r, now));
  }
  ovpn_reliable_hurry(&r, 131 * S);
  CHECK(ovpn_reliable_due(&r, 131 * S));
  CHECK_INT(ovpn_reliable_deadline(&r), 133 * S);
  ovpn_reliable_acked(&r, 1, 131 * S); /* never sent: nothing happens */
  CHECK(!ovpn_reliable_idle(&r));
  ovpn_reliable_acked(&r, 0, 131 * S);
  CHECK(ovpn_reliable_idle(&r) && !ovpn_reliable_due(&r, UINT64_MAX - 1));
}

/* Three round trips, when they are known, but not less than 0.3 s and not more than before. */
static void test_round_trip(void)
{
  static const struct {
    uint64_t took, timeout;
  } cases[] = {{S / 1000, 3 * S / 10}, {S / 5, 3 * S / 5}, {S, 2 * S}, {0, 2 * S}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    static OvpnReliable r;
    uint64_t now = 100 * S;
    ovpn_reliable_init(&r, 2 * S);
    CHECK(ovpn_reliable_queue(&r, 4, "a", 1, false, now) && ovpn_reliable_due(&r, now));
    now += cases[i].took;
    ovpn_reliable_acked(&r, 0, now);
    CHECK(ovpn_reliable_queue(&r, 4, "b", 1, false, now) && ovpn_reliable_due(&r, now));
    CHECK_INT(ovpn_reliable_deadline(&r), now + cases[i].timeout);
    now = ovpn_reliable_deadline(&r);
    CHECK(ovpn_reliable_due(&r, now));
    CHECK_INT(ovpn_reliable_deadline(&r), now + 2 * cases[i].timeout);
    /* which of the two is acknowledged, nobody knows: no measurement */
    uint64_t before = r.round_trip;
    ovpn_reliable_acked(&r, 1, now + 1);
    CHECK(r.round_trip == before);
  }
}

static void test_window(void)
{
  static OvpnReliable r;
  static uint8_t big[OVPN_MSG_MAX + 1];
  ovpn_reliable_init(&r, S);
  CHECK(!ovpn_reliable_queue(&r, 4, big, sizeof(big), false, 0));
  CHECK_INT(r.next_send_id, 0);
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++)
    CHECK(ovpn_reliable_queue(&r, 4, big, OVPN_MSG_MAX, false, 0));
  CHECK(!ovpn_reliable_queue(&r, 4, "x", 1, false, 0));
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++) {
    const OvpnSendSlot *s = ovpn_reliable_due(&r, 0);
    CHECK(s && s->id == i);
  }
  /* Three acks for later ids: 0 is sent again at once. Repeated acks do not count. */
  ovpn_reliable_acked(&r, 1, 5);
  ovpn_reliable_acked(&r, 1, 5);
  ovpn_reliable_acked(&r, 2, 5);
  CHECK(!ovpn_reliable_due(&r, 5));
  CHECK(!ovpn_reliable_can_send(&r)); /* slots are free, but 0 holds the window */
  ovpn_reliable_acked(&r, 3, 5);
  const OvpnSendSlot *s = ovpn_reliable_due(&r, 5);
  CHECK(s && s->id == 0);
  CHECK(!ovpn_reliable_due(&r, 5));
  ovpn_reliable_acked(&r, 0, 6);
  CHECK(ovpn_reliable_queue(&r, 4, "x", 1, false, 6));
  CHECK_INT(r.next_send_id, 7);
}

static void test_receive(void)
{
  static OvpnReliable r;
  ovpn_reliable_init(&r, S);
  CHECK(!ovpn_reliable_peek(&r) && !ovpn_reliable_has_acks(&r));
  CHECK_INT(ovpn_reliable_record(&r, 4, 12, "m", 1), OVPN_DROP_WINDOW);
  CHECK_INT(ovpn_reliable_record(&r, 4, UINT32_MAX, "m", 1), OVPN_DROP_WINDOW);
  CHECK(!ovpn_reliable_has_acks(&r));
  CHECK_INT(ovpn_reliable_record(&r, 4, 11, "l", 1), OVPN_OK);
  CHECK_INT(ovpn_reliable_record(&r, 4, 1, "b", 1), OVPN_OK);
  CHECK(!ovpn_reliable_peek(&r));
  CHECK_INT(ovpn_reliable_record(&r, 8, 0, "a", 1), OVPN_OK);
  CHECK_INT(ovpn_reliable_record(&r, 4, 1, "X", 1), OVPN_DROP_REPLAY);
  const OvpnRecvSlot *s = ovpn_reliable_peek(&r);
  CHECK(s && s->opcode == 8 && s->len == 1 && s->data[0] == 'a');
  ovpn_reliable_pop(&r);
  s = ovpn_reliable_peek(&r);
  CHECK(s && s->data[0] == 'b'); /* the first copy counts */
  ovpn_reliable_pop(&r);
  CHECK(!ovpn_reliable_peek(&r));
  CHECK_INT(ovpn_reliable_record(&r, 4, 0, "a", 1), OVPN_DROP_REPLAY); /* below: acked again */
  CHECK_INT(ovpn_reliable_record(&r, 4, 13, "n", 1), OVPN_OK);
  static uint8_t big[OVPN_PACKET_MAX + 1];
  CHECK_INT(ovpn_reliable_record(&r, 4, 2, big, sizeof(big)), OVPN_DROP_FORMAT);

  OvpnPacketBody b = {0};
  ovpn_reliable_take_acks(&r, &b, 4, true);
  CHECK(b.n_acks == 4 && b.acks[0] == 11 && b.acks[1] == 1 && b.acks[2] == 0 && b.acks[3] == 13);
  CHECK(!ovpn_reliable_has_acks(&r));
  ovpn_reliable_take_acks(&r, &b, 8, false);
  CHECK_INT(b.n_acks, 0);
  CHECK_INT(ovpn_reliable_record(&r, 4, 2, "c", 1), OVPN_OK);
  ovpn_reliable_take_acks(&r, &b, 8, true); /* the new one, then the recent ones, newest first */
  CHECK(b.n_acks == 5 && b.acks[0] == 2 && b.acks[1] == 13 && b.acks[2] == 0 && b.acks[4] == 11);
  ovpn_reliable_take_acks(&r, &b, 2, true);
  CHECK(b.n_acks == 2 && b.acks[0] == 2 && b.acks[1] == 13);
}

/* One direction of a noisy wire. */
typedef struct Wire {
  OvpnPacketBody pkt[64];
  uint8_t data[64][8];
  unsigned n;
} Wire;

static uint32_t seed = 1;
static uint32_t dice(uint32_t n)
{
  seed = seed * 1664525 + 1013904223;
  return (seed >> 10) % n;
}

static void put(Wire *w, const OvpnPacketBody *b)
{
  if (w->n == 64 || dice(4) == 0)
    return; /* lost */
  w->pkt[w->n] = *b;
  if (b->payload_len)
    memcpy(w->data[w->n], b->payload, b->payload_len);
  w->n++;
  if (dice(8) == 0)
    put(w, b); /* twice */
}

static void run(OvpnReliable *r, Wire *in, Wire *out, uint64_t now)
{
  while (in->n) {
    unsigned i = dice(in->n);
    OvpnPacketBody b = in->pkt[i];
    for (unsigned a = 0; a < b.n_acks; a++)
      ovpn_reliable_acked(r, b.acks[a], now);
    if (b.has_id)
      ovpn_reliable_record(r, OVPN_OP_CONTROL_V1, b.id, in->data[i], b.payload_len);
    in->n--;
    in->pkt[i] = in->pkt[in->n];
    memcpy(in->data[i], in->data[in->n], 8);
  }
  const OvpnSendSlot *s;
  while ((s = ovpn_reliable_due(r, now))) {
    OvpnPacketBody b = {.has_id = true, .id = s->id, .payload = s->data, .payload_len = s->len};
    ovpn_reliable_take_acks(r, &b, 4, true);
    put(out, &b);
  }
  if (ovpn_reliable_has_acks(r)) {
    OvpnPacketBody b = {0};
    ovpn_reliable_take_acks(r, &b, 8, true);
    put(out, &b);
  }
}

static void test_noise(void)
{
  static OvpnReliable end[2];
  static Wire wire[2];
  enum { TOTAL = 300 };
  unsigned sent[2] = {0}, got[2] = {0};
  for (unsigned e = 0; e < 2; e++)
    ovpn_reliable_init(&end[e], S);
  uint64_t now = 0;
  unsigned turns = 0;
  for (; turns < 20000 && (got[0] < TOTAL || got[1] < TOTAL); turns++, now += S / 10) {
    for (unsigned e = 0; e < 2; e++) {
      uint32_t v = sent[e];
      if (v < TOTAL && ovpn_reliable_queue(&end[e], 4, &v, sizeof(v), false, now))
        sent[e]++;
      run(&end[e], &wire[e], &wire[1 - e], now);
      const OvpnRecvSlot *s;
      while ((s = ovpn_reliable_peek(&end[e]))) {
        memcpy(&v, s->data, sizeof(v));
        CHECK_INT(v, got[e]);
        got[e]++;
        ovpn_reliable_pop(&end[e]);
      }
    }
  }
  CHECK_INT(got[0], TOTAL);
  CHECK_INT(got[1], TOTAL);
}

int main(void)
{
  test_retransmission();
  test_round_trip();
  test_window();
  test_receive();
  test_noise();
  TEST_END();
}
