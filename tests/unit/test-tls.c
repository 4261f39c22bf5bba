/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS: client and server contexts shake hands in memory, for every kind of certificate and every
 * refusal. The PKI is made by tests/keys/make in a temporary directory; without openssl the test is
 * skipped. */
#include "check.h"
#include "helper/core/tls.h"
#include <ftw.h>
#include <gnutls/gnutls.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/ovpn-test-tls-XXXXXX";
static time_t today;
enum { DAY = 86400 };

/* ---- configurations -----------------------------------------------------------------------------
 */

typedef struct Side {
  OvpnConfig c;
  const char *passphrase;
} Side;

static void load(OvpnConfig *c, OvpnFileId id, const char *name)
{
  char path[256];
  uint8_t buf[32768];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *fp = fopen(path, "rb");
  CHECK(fp);
  size_t n = fp ? fread(buf, 1, sizeof buf, fp) : 0;
  if (fp)
    fclose(fp);
  free(c->files[id].name);
  c->files[id].name = strdup(name);
  CHECK(ovpn_blob_set(&c->files[id].content, buf, n));
}

static void use(OvpnConfig *c, const char *ca, const char *name)
{
  char file[64];
  if (ca)
    load(c, OVPN_FILE_CA, ca);
  if (name) {
    snprintf(file, sizeof file, "%s.crt", name);
    load(c, OVPN_FILE_CERT, file);
    if (strstr(name, "-chain"))
      snprintf(file, sizeof file, "%.*s.key", (int)(strstr(name, "-chain") - name), name);
    else
      snprintf(file, sizeof file, "%s.key", name);
    load(c, OVPN_FILE_KEY, file);
  }
}

static void clear(OvpnConfig *c)
{
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    free(c->files[i].name);
    ovpn_blob_clear(&c->files[i].content);
  }
  memset(c, 0, sizeof *c);
}

/* ---- a pair -------------------------------------------------------------------------------------
 */

typedef struct Pair {
  Side client, server;
  time_t now;
  OvpnTlsContext *cc, *sc;
  OvpnTls *ct, *st;
  OvpnFailure cf, sf; /* what each side says */
  bool cdone, sdone;
} Pair;

static Pair pair(const char *ca, const char *server, const char *client)
{
  Pair p = {.now = today + 60};
  use(&p.client.c, ca, client);
  use(&p.server.c, ca, server);
  return p;
}

static void move(OvpnTls *from, OvpnTls *to)
{
  uint8_t buf[700];
  for (size_t n; (n = ovpn_tls_output(from, buf, sizeof buf)) > 0;)
    CHECK_INT(ovpn_tls_input(to, buf, n), OVPN_OK);
}

static void read_nothing(OvpnTls *t, OvpnFailure *f)
{
  uint8_t buf[2048];
  size_t n;
  if (f->status == OVPN_OK && ovpn_tls_read(t, buf, sizeof buf, &n, f) == OVPN_OK)
    CHECK_INT(n, 0);
}

static bool start(Pair *p)
{
  OvpnStatus a = ovpn_tls_context_new(&p->client.c, p->client.passphrase, false, &p->cc, &p->cf);
  OvpnStatus b = ovpn_tls_context_new(&p->server.c, p->server.passphrase, true, &p->sc, &p->sf);
  CHECK_INT(b, OVPN_OK);
  if (a != OVPN_OK || b != OVPN_OK) {
    if (b != OVPN_OK)
      fprintf(stderr, "server: %s\n", p->sf.text);
    return false;
  }
  p->ct = ovpn_tls_new(p->cc, p->now);
  p->st = ovpn_tls_new(p->sc, today + 60);
  CHECK(p->ct && p->st);
  return p->ct && p->st;
}

static OvpnStatus shake(Pair *p)
{
  if (!start(p))
    return p->cf.status;
  for (int i = 0; i < 10; i++) {
    if (p->cf.status == OVPN_OK)
      ovpn_tls_handshake(p->ct, &p->cdone, &p->cf);
    move(p->ct, p->st);
    if (p->sf.status == OVPN_OK)
      ovpn_tls_handshake(p->st, &p->sdone, &p->sf);
    move(p->st, p->ct);
  }
  if (p->cdone)
    read_nothing(p->ct, &p->cf);
  move(p->ct, p->st);
  if (p->sdone)
    read_nothing(p->st, &p->sf);
  return p->cf.status;
}

static void end(Pair *p)
{
  ovpn_tls_free(p->ct);
  ovpn_tls_free(p->st);
  ovpn_tls_context_free(p->cc);
  ovpn_tls_context_free(p->sc);
  clear(&p->client.c);
  clear(&p->server.c);
}

static void expect_up(Pair *p, const char *what)
{
  if (shake(p) != OVPN_OK || p->sf.status != OVPN_OK || !p->cdone || !p->sdone) {
    fprintf(stderr, "%s: client %s “%s”, server %s “%s”\n", what, ovpn_status_name(p->cf.status),
            p->cf.text, ovpn_status_name(p->sf.status), p->sf.text);
    CHECK(!"handshake");
  }
  end(p);
}

/* The client refuses with `want` and a text containing `text`; the server hears an alert. */
static void expect_refusal(Pair *p, OvpnStatus want, const char *text, const char *what)
{
  OvpnStatus s = shake(p);
  bool alert = p->st && p->sf.status != OVPN_FAIL_TLS_ALERT;
  if (s != want || !strstr(p->cf.text, text) || alert) {
    fprintf(stderr, "%s: client %s “%s” (expected %s “%s”), server %s “%s”\n", what,
            ovpn_status_name(s), p->cf.text, ovpn_status_name(want), text,
            ovpn_status_name(p->sf.status), p->sf.text);
    CHECK(!"refusal");
  }
  end(p);
}

/* ---- cases --------------------------------------------------------------------------------------
 */

static void test_versions(void)
{
  for (int v = 10; v <= 13; v++) {
    Pair p = pair("ca.crt", "server", "client");
    p.client.c.tls_version_min = 10;
    p.client.c.tls_version_max = v;
    p.server.c.tls_version_min = 10;
    if (shake(&p) != OVPN_OK || p.sf.status != OVPN_OK) {
      fprintf(stderr, "1.%d: %s %s\n", v - 10, p.cf.text, p.sf.text);
      CHECK(!"version");
      end(&p);
      continue;
    }
    uint8_t a[256], b[256], buf[4096];
    /* GnuTLS cannot before TLS 1.2, and says that it could */
    OvpnStatus exported = v >= 12 ? OVPN_OK : OVPN_FAIL_KEY_DERIVATION;
    memset(a, 1, sizeof a);
    memset(b, 2, sizeof b);
    CHECK_INT(ovpn_tls_export(p.ct, "EXPORTER-OpenVPN-datakeys", a, sizeof a), exported);
    CHECK_INT(ovpn_tls_export(p.st, "EXPORTER-OpenVPN-datakeys", b, sizeof b), exported);
    CHECK_INT(memcmp(a, b, sizeof a) == 0, v >= 12);
    CHECK_INT(ovpn_tls_can_export(p.ct), v >= 12);
    CHECK_INT(ovpn_tls_write(p.ct, "one", 4, NULL), OVPN_OK);
    CHECK_INT(ovpn_tls_write(p.ct, "second", 7, NULL), OVPN_OK);
    move(p.ct, p.st);
    size_t n;
    CHECK_INT(ovpn_tls_read(p.st, buf, sizeof buf, &n, NULL), OVPN_OK);
    CHECK_INT(n, 4);
    CHECK_INT(ovpn_tls_read(p.st, buf, sizeof buf, &n, NULL), OVPN_OK);
    CHECK_INT(n, 7);
    CHECK_STR((char *)buf, "second");
    CHECK_INT(ovpn_tls_read(p.st, buf, sizeof buf, &n, NULL), OVPN_OK);
    CHECK_INT(n, 0);
    char *d = ovpn_tls_describe(p.ct), version[16];
    snprintf(version, sizeof version, "TLSv1.%d ", v - 10);
    CHECK(d && strncmp(d, version, 8) == 0 && strstr(d, "peer RSA 2048 CN=server"));
    free(d);
    end(&p);
  }
  Pair p = pair("ca.crt", "server", "client");
  p.server.c.tls_version_min = 10;
  p.server.c.tls_version_max = 11;
  CHECK_INT(shake(&p), OVPN_FAIL_TLS);
  CHECK(strstr(p.cf.text, "tls-version-min") && p.sf.status != OVPN_OK);
  end(&p);
  p = pair("ca.crt", "server", "client");
  p.server.c.tls_version_min = 13;
  p.client.c.tls_version_max = 12;
  CHECK_INT(shake(&p), OVPN_FAIL_TLS_ALERT);
  end(&p);
}

static void test_key_types(void)
{
  static const char *const sets[][3] = {{"ca.crt", "server", "client"},
                                        {"ec-ca.crt", "server-ec", "client-ec"},
                                        {"ed-ca.crt", "server-ed", "client-ed"},
                                        {"ca.crt", "deep-chain", "deep-client-chain"},
                                        {"ca.crt", "server", NULL}};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    for (int v = 12; v <= 13; v++) {
      Pair p = pair(sets[i][0], sets[i][1], sets[i][2]);
      p.client.c.tls_version_max = v;
      p.client.c.remote_cert_tls = OVPN_CERT_SERVER;
      p.server.c.remote_cert_tls = OVPN_CERT_CLIENT;
      p.server.c.client_cert_not_needed = !sets[i][2];
      if (!sets[i][2])
        p.server.c.remote_cert_tls = OVPN_CERT_ANY;
      expect_up(&p, sets[i][1]);
    }
}

static void test_key_files(void)
{
  static const struct {
    const char *key, *pass;
    OvpnStatus want;
  } t[] = {{"client-pkcs8.key", "secret", OVPN_OK},
           {"client-pkcs8.key", "wrong", OVPN_FAIL_PASSPHRASE},
           {"client-pkcs8.key", NULL, OVPN_FAIL_PASSPHRASE},
           {"client-legacy.key", "secret", OVPN_OK},
           {"client-legacy.key", "wrong", OVPN_FAIL_PASSPHRASE},
           {"client-legacy.key", NULL, OVPN_FAIL_PASSPHRASE},
           {"client-pkcs1.key", NULL, OVPN_OK},
           {"client-pkcs1.key", "unused", OVPN_OK},
           {"server.key", NULL, OVPN_FAIL_KEY_MISMATCH},
           {"client-ec.key", NULL, OVPN_FAIL_KEY_MISMATCH},
           {"ca.crt", NULL, OVPN_FAIL_FILE_FORMAT}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", "server", "client");
    load(&p.client.c, OVPN_FILE_KEY, t[i].key);
    p.client.passphrase = t[i].pass;
    CHECK(ovpn_tls_needs_passphrase(&p.client.c) ==
          (strstr(t[i].key, "pkcs8") || strstr(t[i].key, "legacy")));
    OvpnStatus s = shake(&p);
    if (s != t[i].want || (s == OVPN_OK && p.sf.status) || (s && !strstr(p.cf.text, "key"))) {
      fprintf(stderr, "%s with %s: %s “%s”\n", t[i].key, t[i].pass, ovpn_status_name(s), p.cf.text);
      CHECK(!"key");
    }
    end(&p);
  }
  Pair p = pair("ec-ca.crt", "server-ec", "client-ec");
  load(&p.client.c, OVPN_FILE_KEY, "client-sec1.key");
  expect_up(&p, "EC key with parameters");
}

static void test_pkcs12(void)
{
  static const struct {
    const char *file, *pass;
    bool is_inline, with_ca;
    OvpnStatus want;
  } t[] = {{"client.p12", "secret", false, true, OVPN_OK},
           {"client.p12", "secret", false, false, OVPN_OK},
           {"client.p12.b64", "secret", true, false, OVPN_OK},
           {"client.p12", "wrong", false, true, OVPN_FAIL_PASSPHRASE},
           {"client.p12", NULL, false, true, OVPN_FAIL_PASSPHRASE},
           {"client-nopass.p12", NULL, false, true, OVPN_OK},
           {"ca.crt", NULL, false, true, OVPN_FAIL_FILE_FORMAT}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair(NULL, "server", NULL);
    load(&p.server.c, OVPN_FILE_CA, "ca.crt");
    if (t[i].with_ca)
      load(&p.client.c, OVPN_FILE_CA, "ca.crt");
    load(&p.client.c, OVPN_FILE_PKCS12, t[i].file);
    p.client.c.files[OVPN_FILE_PKCS12].is_inline = t[i].is_inline;
    p.client.passphrase = t[i].pass;
    CHECK(ovpn_tls_needs_passphrase(&p.client.c) == (strncmp(t[i].file, "client.p12", 10) == 0));
    OvpnStatus s = shake(&p);
    if (s != t[i].want || (s == OVPN_OK && p.sf.status)) {
      fprintf(stderr, "%s with %s: %s “%s” / %s\n", t[i].file, t[i].pass, ovpn_status_name(s),
              p.cf.text, p.sf.text);
      CHECK(!"pkcs12");
    }
    end(&p);
  }
}

static void test_bad_files(void)
{
  static const struct {
    OvpnFileId id;
    const char *name, *text;
  } t[] = {{OVPN_FILE_CA, "client.key", "ca: "},
           {OVPN_FILE_CERT, "client.key", "cert: "},
           {OVPN_FILE_EXTRA_CERTS, "client.key", "extra-certs: "},
           {OVPN_FILE_CRL, "ca.crt", "crl-verify: "}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", "server", "client");
    load(&p.client.c, t[i].id, t[i].name);
    CHECK_INT(shake(&p), OVPN_FAIL_FILE_FORMAT);
    CHECK(strncmp(p.cf.text, t[i].text, strlen(t[i].text)) == 0);
    end(&p);
  }
  Pair p = pair(NULL, "server", NULL);
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
  p = pair("ca.crt", "server", NULL);
  load(&p.client.c, OVPN_FILE_CERT, "client.crt");
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
  p = pair("ca.crt", "server", "client");
  free(p.client.c.files[OVPN_FILE_KEY].name);
  p.client.c.files[OVPN_FILE_KEY].name = strdup("pkcs11:object=x");
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
}

static void test_trust(void)
{
  for (int v = 12; v <= 13; v++) {
    static const struct {
      const char *ca, *server;
      int days;
      OvpnStatus want;
      const char *text;
    } t[] = {{"ca.crt", "server", 3300, OVPN_FAIL_CERT_EXPIRED, "20"},
             {"ca.crt", "server", -3, OVPN_FAIL_CERT_NOT_YET_VALID, "20"},
             {"other-ca.crt", "server", 0, OVPN_FAIL_CERT_UNKNOWN_CA, "Test CA"},
             {"ca.crt", "impostor", 0, OVPN_FAIL_CERT_UNKNOWN_CA, "Test CA"},
             {"ca.crt", "deep", 0, OVPN_FAIL_CERT_UNKNOWN_CA, "Middle CA"},
             {"ca.crt", "bad-deep-chain", 0, OVPN_FAIL_CERT_OTHER, "authority"},
             {"ca.crt", "self", 0, OVPN_FAIL_CERT_UNKNOWN_CA, "self"},
             {"ca.crt", "weak", 0, OVPN_FAIL_CERT_WEAK, "1024"},
             {"ca.crt", "client", 0, OVPN_FAIL_CERT_USAGE, "not a server"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
      Pair p = pair(t[i].ca, t[i].server, NULL);
      p.client.c.tls_version_max = v;
      p.server.c.cert_profile = OVPN_PROFILE_INSECURE;
      p.server.c.client_cert_not_needed = true;
      p.now = today + 60 + (time_t)t[i].days * DAY;
      expect_refusal(&p, t[i].want, t[i].text, t[i].server);
    }
  }
  Pair p = pair("ca.crt", "server", NULL);
  p.server.c.client_cert_not_needed = true;
  p.now = today + 60 + 3300 * DAY;
  time_t expiry = today + 3000 * DAY;
  char date[32];
  strftime(date, sizeof date, "%Y-%m-%d", gmtime(&expiry));
  shake(&p);
  CHECK_STR(p.cf.text, date);
  end(&p);
  p = pair("ca.crt", "deep", NULL); /* the intermediate comes from extra-certs */
  p.server.c.client_cert_not_needed = true;
  load(&p.client.c, OVPN_FILE_EXTRA_CERTS, "mid.crt");
  expect_up(&p, "intermediate from extra-certs");
  p = pair("self.crt", "self", NULL); /* the server's own certificate is the whole ca list */
  p.server.c.client_cert_not_needed = true;
  expect_up(&p, "self-signed in ca");
}

static void test_profiles(void)
{
  static const struct {
    OvpnCertProfile profile;
    const char *server;
    OvpnStatus want;
  } t[] = {{OVPN_PROFILE_LEGACY, "sha1", OVPN_OK},
           {OVPN_PROFILE_PREFERRED, "sha1", OVPN_FAIL_CERT_WEAK},
           {OVPN_PROFILE_INSECURE, "weak", OVPN_OK},
           {OVPN_PROFILE_PREFERRED, "server", OVPN_OK},
           {OVPN_PROFILE_SUITEB, "server-ec", OVPN_OK}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    bool ec = strstr(t[i].server, "-ec") != NULL;
    Pair p = pair(ec ? "ec-ca.crt" : "ca.crt", t[i].server, NULL);
    p.server.c.client_cert_not_needed = true;
    p.server.c.cert_profile = OVPN_PROFILE_INSECURE;
    p.client.c.cert_profile = t[i].profile;
    if (t[i].want == OVPN_OK)
      expect_up(&p, t[i].server);
    else
      expect_refusal(&p, t[i].want, "SHA1", t[i].server);
  }
  Pair p = pair("ca.crt", "weak", NULL);
  p.server.c.client_cert_not_needed = true;
  p.server.c.cert_profile = OVPN_PROFILE_INSECURE;
  p.client.c.tls_cipher = (char *)"DEFAULT:@SECLEVEL=0";
  expect_up(&p, "SECLEVEL=0");
}

static void test_usage(void)
{
  static const struct {
    const char *server;
    OvpnCertType rct, ns;
    const char *ku, *eku, *text; /* text NULL = accepted */
  } t[] = {
      {"server", OVPN_CERT_SERVER, OVPN_CERT_SERVER, "a0", "TLS Web Server Authentication", NULL},
      {"server", OVPN_CERT_ANY, OVPN_CERT_ANY, "80", "1.3.6.1.5.5.7.3.1", NULL},
      {"server", OVPN_CERT_ANY, OVPN_CERT_ANY, "88", NULL, "remote-cert-ku"},
      {"server", OVPN_CERT_ANY, OVPN_CERT_ANY, NULL, "clientAuth", "remote-cert-eku"},
      {"no-ku", OVPN_CERT_SERVER, OVPN_CERT_ANY, NULL, NULL, "remote-cert-tls"},
      {"no-ku", OVPN_CERT_ANY, OVPN_CERT_ANY, "80", NULL, "remote-cert-ku"},
      {"plain", OVPN_CERT_SERVER, OVPN_CERT_ANY, NULL, NULL, "remote-cert-tls"},
      {"plain", OVPN_CERT_ANY, OVPN_CERT_SERVER, NULL, NULL, "ns-cert-type"},
      {"plain", OVPN_CERT_ANY, OVPN_CERT_ANY, NULL, NULL, NULL},
      {"client", OVPN_CERT_SERVER, OVPN_CERT_ANY, NULL, NULL, "remote-cert-tls"}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", t[i].server, NULL);
    p.server.c.client_cert_not_needed = true;
    p.client.c.remote_cert_tls = t[i].rct;
    p.client.c.ns_cert_type = t[i].ns;
    char *ku[] = {(char *)"08", (char *)t[i].ku}, *eku[] = {(char *)t[i].eku};
    p.client.c.remote_cert_ku = (OvpnStrv){ku, t[i].ku ? 2 : 0};
    p.client.c.remote_cert_eku = (OvpnStrv){eku, t[i].eku ? 1 : 0};
    if (t[i].text)
      expect_refusal(&p, OVPN_FAIL_CERT_USAGE, t[i].text, t[i].server);
    else
      expect_up(&p, t[i].server);
  }
}

static void test_names(void)
{
  static const char subject[] = "C=DE, ST=Hessen, O=Test, CN=server";
  static const struct {
    OvpnNameCheck check;
    const char *name, *field, *found; /* found NULL = accepted */
  } t[] = {{OVPN_NAME_SUBJECT, subject, NULL, NULL},
           {OVPN_NAME_SUBJECT, "server", NULL, subject},
           {OVPN_NAME_NAME, "server", NULL, NULL},
           {OVPN_NAME_NAME, "serve", NULL, "server"},
           {OVPN_NAME_NAME, "Server", NULL, "server"},
           {OVPN_NAME_PREFIX, "serv", NULL, NULL},
           {OVPN_NAME_PREFIX, "serverx", NULL, "server"},
           {OVPN_NAME_NAME, "Test", "O", NULL},
           {OVPN_NAME_NAME, "Test", "organizationName", NULL},
           {OVPN_NAME_NAME, "x", "OU", ""},
           {OVPN_NAME_NAME, "4294967297", "serialNumber", NULL},
           {OVPN_NAME_NAME, "vpn@example.org", "ext:subjectAltName", NULL},
           {OVPN_NAME_NAME, "vpn.example.org", "ext:subjectAltName", NULL},
           {OVPN_NAME_NAME, "example.org", "ext:subjectAltName", "example.org"}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", "server", NULL);
    p.server.c.client_cert_not_needed = true;
    p.client.c.name_check = t[i].check;
    p.client.c.name = (char *)t[i].name;
    p.client.c.x509_username_field = (char *)t[i].field;
    if (t[i].found)
      expect_refusal(&p, OVPN_FAIL_CERT_NAME, t[i].found, t[i].name);
    else
      expect_up(&p, t[i].name);
  }
}

static void fingerprint(const char *name, const char *digest, char hex[128])
{
  char cmd[512];
  snprintf(cmd, sizeof cmd, "openssl x509 -in %s/%s.crt -outform DER | openssl dgst -%s -r", dir,
           name, digest);
  FILE *p = popen(cmd, "r");
  CHECK(p && fscanf(p, "%127[0-9a-f]", hex) == 1);
  if (p)
    pclose(p);
}

static void test_fingerprints(void)
{
  char self[128], server[128], ca1[128], ca256[128];
  fingerprint("self", "sha256", self);
  fingerprint("server", "sha256", server);
  fingerprint("ca", "sha1", ca1);
  fingerprint("ca", "sha256", ca256);
  char *both[] = {server, self};
  Pair p = pair(NULL, "self", NULL);
  p.client.c.peer_fingerprints = (OvpnStrv){both, 2};
  expect_up(&p, "pinned without ca");
  p = pair(NULL, "self", NULL);
  p.client.c.peer_fingerprints = (OvpnStrv){both, 1};
  expect_refusal(&p, OVPN_FAIL_CERT_FINGERPRINT, self, "other pin");
  p = pair(NULL, "self", NULL);
  p.client.c.peer_fingerprints = (OvpnStrv){both, 2};
  p.client.c.verify_hash = ca256; /* nothing to compare with */
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
  p = pair("ca.crt", "self", NULL); /* a pin does not replace a CA that is given */
  p.server.c.client_cert_not_needed = true;
  p.client.c.peer_fingerprints = (OvpnStrv){both, 2};
  expect_refusal(&p, OVPN_FAIL_CERT_UNKNOWN_CA, "self", "pin and ca");
  for (int i = 0; i < 4; i++) {
    p = pair("ca.crt", "server", NULL);
    p.server.c.client_cert_not_needed = true;
    p.client.c.verify_hash = i == 0 ? ca1 : i == 1 ? ca256 : server;
    p.client.c.verify_hash_sha1 = i == 0 || i == 3;
    if (i < 2)
      expect_up(&p, "verify-hash");
    else
      expect_refusal(&p, OVPN_FAIL_CERT_FINGERPRINT, i == 2 ? ca256 : ca1, "verify-hash");
  }
}

static void test_revocation(void)
{
  static const struct {
    const char *server, *crl, *crl_dir;
    int later;
    OvpnStatus want;
    const char *text;
  } t[] = {{"server", "ca.crl", NULL, 0, OVPN_OK, ""},
           {"revoked", "ca.crl", NULL, 0, OVPN_FAIL_CERT_REVOKED, "revoked"},
           {"server", "short.crl", NULL, 3600, OVPN_FAIL_CERT_OTHER, "expired"},
           {"server", NULL, "revoked.serial", 0, OVPN_OK, ""},
           {"revoked", NULL, "revoked.serial", 0, OVPN_FAIL_CERT_REVOKED, "revoked"}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", t[i].server, NULL);
    p.server.c.client_cert_not_needed = true;
    p.now += t[i].later;
    if (t[i].crl)
      load(&p.client.c, OVPN_FILE_CRL, t[i].crl);
    if (t[i].crl_dir)
      load(&p.client.c, OVPN_FILE_CRL_DIR, t[i].crl_dir);
    if (t[i].want == OVPN_OK)
      expect_up(&p, t[i].server);
    else
      expect_refusal(&p, t[i].want, t[i].text, t[i].server);
  }
}

/* capath: certificates and lists one after the other, with what is neither between them. */
static void test_capath(void)
{
  static const struct {
    const char *server, *more, *ca;
    OvpnStatus want;
    const char *text;
  } t[] = {{"server", NULL, NULL, OVPN_OK, ""},
           {"server", "ca.crl", NULL, OVPN_OK, ""},
           {"revoked", NULL, NULL, OVPN_OK, ""},
           {"revoked", "ca.crl", NULL, OVPN_FAIL_CERT_REVOKED, "revoked"},
           {"server", "ca.crl", "ec-ca.crt", OVPN_OK, ""}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", t[i].server, NULL);
    OvpnConfig *c = &p.client.c;
    p.server.c.client_cert_not_needed = true;
    load(c, OVPN_FILE_CAPATH, "ca.crt");
    load(c, OVPN_FILE_CRL, t[i].more ? t[i].more : "ca.crl");
    static const char noise[] =
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN ";
    OvpnBlob *all = &c->files[OVPN_FILE_CAPATH].content, *crl = &c->files[OVPN_FILE_CRL].content;
    CHECK(ovpn_blob_append(all, noise, 60));
    if (t[i].more)
      CHECK(ovpn_blob_append(all, crl->data, crl->len));
    CHECK(ovpn_blob_append(all, noise, sizeof noise - 1));
    for (int k = 0; k < 2; k++) {
      OvpnFileId id = k ? OVPN_FILE_CA : OVPN_FILE_CRL;
      free(c->files[id].name);
      c->files[id].name = NULL;
      ovpn_blob_clear(&c->files[id].content);
    }
    if (t[i].ca)
      load(c, OVPN_FILE_CA, t[i].ca);
    if (t[i].want == OVPN_OK)
      expect_up(&p, t[i].server);
    else
      expect_refusal(&p, t[i].want, t[i].text, t[i].server);
  }
}

static void test_ciphers(void)
{
  static const struct {
    const char *list, *suite; /* suite NULL = FAIL_CONFIG */
  } t[] = {{"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_AES_128_GCM_SHA256"},
           {"TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384", "TLS_ECDHE_RSA_AES_256_GCM_SHA384"},
           {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_AES_128_CBC_SHA1"},
           {"AES256-SHA", "TLS_RSA_AES_256_CBC_SHA1"},
           {"AES128-GCM-SHA256", "TLS_RSA_AES_128_GCM_SHA256"},
           {"DHE-RSA-AES256-SHA", "TLS_DHE_RSA_AES_256_CBC_SHA1"},
           {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_CHACHA20_POLY1305"},
           {"TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305"},
           {"DES-CBC3-SHA", "TLS_RSA_3DES_EDE_CBC_SHA1"},
           {"nonsense:ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_AES_256_CBC_SHA1"},
           {"DEFAULT:!AES256:!CHACHA20:!RSA-nothing", "128"},
           {"nonsense", NULL},
           {"DEFAULT:!DHE:!kRSA", "TLS_ECDHE_RSA_AES_256_GCM"},
           {"DHE", "TLS_DHE_RSA_AES_256_GCM"},
           {"!ECDHE", "TLS_DHE_RSA"},
           {"DEFAULT", "TLS_ECDHE_RSA_AES_256_GCM"},
           {"DEFAULT:@SECLEVEL=0", "TLS_ECDHE_RSA_AES_256_GCM"}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    Pair p = pair("ca.crt", "server", NULL);
    p.server.c.client_cert_not_needed = true;
    p.server.c.cert_profile = OVPN_PROFILE_INSECURE;
    p.client.c.tls_version_max = 12;
    p.client.c.tls_cipher = (char *)t[i].list;
    OvpnStatus s = shake(&p);
    char *d = s == OVPN_OK ? ovpn_tls_describe(p.ct) : NULL;
    if (s != (t[i].suite ? OVPN_OK : OVPN_FAIL_CONFIG) ||
        (t[i].suite && (!d || !strstr(d, t[i].suite)))) {
      fprintf(stderr, "%s: %s “%s”, %s\n", t[i].list, ovpn_status_name(s), p.cf.text, d);
      CHECK(!"cipher");
    }
    free(d);
    end(&p);
  }
  Pair p = pair("ca.crt", "server", NULL);
  p.server.c.client_cert_not_needed = true;
  p.client.c.tls_ciphersuites = (char *)"TLS_CHACHA20_POLY1305_SHA256";
  p.client.c.tls_groups = (char *)"unknown:secp384r1";
  CHECK_INT(shake(&p), OVPN_OK);
  char *d = ovpn_tls_describe(p.ct);
  CHECK(d && strstr(d, "TLSv1.3 TLS_CHACHA20_POLY1305"));
  free(d);
  end(&p);
  p = pair("ca.crt", "server", NULL);
  p.client.c.tls_groups = (char *)"unknown";
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
  p = pair("ca.crt", "server", NULL);
  p.client.c.tls_version_min = 13;
  p.client.c.tls_version_max = 12;
  CHECK_INT(shake(&p), OVPN_FAIL_CONFIG);
  end(&p);
}

/* What the client hears when the server refuses it. */
static void test_client_refused(void)
{
  for (int v = 12; v <= 13; v++) {
    Pair p = pair("ca.crt", "server", NULL); /* no certificate at all */
    p.client.c.tls_version_max = v;
    CHECK_INT(shake(&p), OVPN_FAIL_TLS_ALERT);
    CHECK(p.sf.status != OVPN_OK);
    CHECK(*p.cf.text);
    end(&p);
    p = pair("ca.crt", "server", NULL); /* of another CA */
    use(&p.client.c, NULL, "client-ec");
    p.client.c.tls_version_max = v;
    CHECK_INT(shake(&p), OVPN_FAIL_TLS_ALERT);
    CHECK_INT(p.sf.status, OVPN_FAIL_CERT_UNKNOWN_CA);
    CHECK(strcasestr(p.cf.text, "unknown"));
    end(&p);
  }
}

static void test_bounds(void)
{
  Pair p = pair("ca.crt", "server", NULL);
  CHECK(start(&p));
  static uint8_t big[70000];
  size_t n = 1;
  CHECK_INT(ovpn_tls_input(p.ct, big, sizeof big), OVPN_FAIL_PROTOCOL);
  CHECK_INT(ovpn_tls_input(p.ct, big, 60000), OVPN_OK);
  CHECK_INT(ovpn_tls_input(p.ct, big, 6000), OVPN_FAIL_PROTOCOL);
  CHECK_INT(ovpn_tls_read(p.ct, big, sizeof big, &n, NULL), OVPN_OK);
  CHECK_INT(n, 0);
  CHECK_INT(ovpn_tls_handshake(p.ct, &p.cdone, &p.cf), OVPN_FAIL_TLS); /* zeros are no TLS */
  CHECK(!p.cdone);
  CHECK_INT(ovpn_tls_handshake(p.ct, &p.cdone, NULL), OVPN_FAIL_TLS);
  CHECK(ovpn_tls_write(p.ct, "x", 1, NULL) != OVPN_OK);
  CHECK(ovpn_tls_output_pending(p.ct) > 0);
  uint8_t key[16];
  CHECK_INT(ovpn_tls_export(p.ct, "x", key, sizeof key), OVPN_FAIL_KEY_DERIVATION);
  end(&p);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

int main(void)
{
  const char *keys = getenv("OVPN_TEST_KEYS");
  char cmd[1024];
  if (system("openssl version >/dev/null 2>&1") != 0) {
    fprintf(stderr, "openssl is missing: skipped\n");
    return 77;
  }
  if (!mkdtemp(dir))
    return 1;
  snprintf(cmd, sizeof cmd, "'%s/make' %s", keys ? keys : "tests/keys", dir);
  today = time(NULL);
  CHECK_INT(system(cmd), 0);
  if (!check_failed_) {
    gnutls_global_init();
    test_versions();
    test_key_types();
    test_key_files();
    test_pkcs12();
    test_bad_files();
    test_trust();
    test_profiles();
    test_usage();
    test_names();
    test_fingerprints();
    test_revocation();
    test_capath();
    test_ciphers();
    test_client_refused();
    test_bounds();
  }
  nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  TEST_END();
}
