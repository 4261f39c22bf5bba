/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ciphers and HMACs of old profiles, against answers of OpenSSL 3.0 (openssl enc, openssl
 * dgst). */
#include "helper/core/block.h"
#include "helper/core/cipher-names.h"
#include "helper/core/mac.h"
#include "check.h"

static const char text[] = "The quick little fox jumps over the bureaucratic hurdles";
enum { TEXT_LEN = sizeof text - 1 };

static const struct {
  OvpnBlockKind kind;
  OvpnBlockMode mode;
  const char *answer;
} blocks[] = {
    {OVPN_BLOCK_AES256, OVPN_MODE_CFB,
     "c668a8ad52e3e9a831498a3d34460f715d39bc0a928b85e46948a0e9eede7f79b83d6506fa38285252017347e1d92"
     "33a2e7510b1d2841c6f"},
    {OVPN_BLOCK_AES128, OVPN_MODE_CFB8,
     "32b84a8611e14969ca188f63870e3e8067ae84765d0ddba13dd14dbdbeb90752e9344f67a38b83b41637b7bd5fbb2"
     "10fd2bd0a92618ff9ec"},
    {OVPN_BLOCK_AES192, OVPN_MODE_CFB1,
     "088618cd11de00176445e7b86b6267f2692b5652b0bddc6af0c3940ce3b06e7a6d0a2a91916859e9c6e9426a9c7bb"
     "648a0e178edc15a63da"},
    {OVPN_BLOCK_AES256, OVPN_MODE_OFB,
     "c668a8ad52e3e9a831498a3d34460f718842c3a7cba0f369cf36aafe622b6dfb38c573bb2f1cc5becfa5f9dafdf06"
     "bb95d16a64039ad3edb"},
    {OVPN_BLOCK_CAMELLIA256, OVPN_MODE_CFB,
     "92503d3816557addd9ebb6b8c0774e04367529772e5766cfc484bd717d7c07585033d6c784284b3e8655f7e3fc132"
     "4af748ec6f7eeaa9ffc"},
    {OVPN_BLOCK_CAMELLIA192, OVPN_MODE_OFB,
     "3cb1c7ded55182545088c28ca82922eaf70821e77e6df877caefaa9745226c9abcb2d0f5f4b957c1cfde641f9f7d2"
     "23785a53dbeaf0ce851"},
    {OVPN_BLOCK_CAMELLIA128, OVPN_MODE_CFB1,
     "ee7f80a3f83041cb1f21596e827176f858a2b967acaddec9fbdba554bee0d1f9329c87bde05e86397668d313b6570"
     "1b4a5227a5a270a9aac"},
    {OVPN_BLOCK_BLOWFISH, OVPN_MODE_CBC,
     "ba92056e30a9ce06e60728d71fdc7fe159813290ba5d9fe1184569e7d9d09c23cff7dcc9babdf9a4af0457f1a0a8d"
     "8c9b8d5d98db997aabc"},
    {OVPN_BLOCK_BLOWFISH, OVPN_MODE_CFB,
     "eaa249468e35f14d3d3175f585fede79147a0353c29b9674303bc1d1ebd8a7eee0e9c890ddd91c499b59fce9307bf"
     "414f9c328c6e8522ddf"},
    {OVPN_BLOCK_BLOWFISH, OVPN_MODE_OFB,
     "eaa249468e35f14def81a1ce550c2b3cff9a4c6e01d537e6af455b9c3d2c11d8a0ecf5e4ff15213c9535422a245b1"
     "8037686b40c33b1eb46"},
    {OVPN_BLOCK_CAST5, OVPN_MODE_CBC,
     "ea0dc07e1d1417f8904f59a142537431567fe64dd1aec611e56e64e3c688afd1462de1349047ab8412a0e59491d16"
     "23bd224059c575a4b27"},
    {OVPN_BLOCK_CAST5, OVPN_MODE_CFB,
     "1c1b626cdd4e9f81b3a43a4370d8238f55247510aefd9d9461b3b6b94f2299d9e1804841bd093d328e01bb07a0ad3"
     "cf2074038f74f745053"},
    {OVPN_BLOCK_DES, OVPN_MODE_CBC,
     "36d1ba32e53e96cdf4ecb18485aea11df317ff8fd2e4547e78cb2f1ee928ee5fee6e25ea9b2b803a388af7eade4cd"
     "530cc4a88d76a0967d8"},
    {OVPN_BLOCK_DES, OVPN_MODE_CFB8,
     "e856aa5adbed8dc17bf31f1e6b722ce1e65366f3741d10ec0a1c893ee4b809b2a4b887f28cc671e6272123b3d4f29"
     "9e8160de5646b523581"},
    {OVPN_BLOCK_DES_EDE, OVPN_MODE_CBC,
     "ee5d39479c4dd41bb2cda753841df40b72a51c585d8fbae6d526f34c678ca3a5df3d81ded04dd107f1b5a645771eb"
     "4d30daf0501b9896c85"},
    {OVPN_BLOCK_DES_EDE3, OVPN_MODE_CBC,
     "db2a7ded4000c9c7c75d59bb7de88e7d35e6c9715aab27ca7e8c1d0bd46dce0dfb4ba65ca5f698f6787963811f725"
     "b25812f7dda581d61db"},
    {OVPN_BLOCK_DES_EDE3, OVPN_MODE_CFB1,
     "d2ce801d10093a6da9c8ff5f416f434837a7537946e24eb575b84f40af54a8d897fcfc2009f4ee9e73666d7f1b70b"
     "c0caed72beb35bb69cc"},
    {OVPN_BLOCK_DESX, OVPN_MODE_CBC,
     "0b39007131896cadb1ca17d9f321cc51974ea7a88a0ad8187dc382a64ada2f31f52e0bf5690e86dcf3b9786edf9ae"
     "0e8e338a91ed614d6b9"},
    {OVPN_BLOCK_RC2, OVPN_MODE_CBC,
     "ff81e96adc01545e80c67c4926100f230803d4a06e740243eb54c3a2a0965c3d2ace64d2043590ccd804c2afde843"
     "601840bd91dfdcb0d6c"},
    {OVPN_BLOCK_RC2_64, OVPN_MODE_CBC,
     "4795c183affefe5a43f1ba11a619944e513db892e1f2df751f3874c3d3983e64ccc64d3aa8fa9e2e4f49ec90cdb47"
     "ab14c43a3846b297965"},
    {OVPN_BLOCK_RC2_40, OVPN_MODE_CBC,
     "200e3a10ab4a1c8a8c7b75faecf23eb097a0f10a1f547e664952053dc63e476ce0436239acb985060a43fab645d51"
     "bed861df3698375f3a2"},
    {OVPN_BLOCK_RC2, OVPN_MODE_OFB,
     "83594202e4c30532cf02b339853d9702efcc80885ee534796a63381feed180eff8c69ef4f595b25dfcb9cb3515a68"
     "3eb6d7a66825b453298"},
};

static const struct {
  const char *digest, *answer;
} macs[] = {
    {"RIPEMD160", "6f6d27b2b9e722196922d6f2e781271ffb0cf394"},
    {"SHA512-256", "b1163d6bb2f3756dd8c1ce76207a83e6cadd1217efc600b301997c297efaac3b"},
    {"SHA512-224", "0dfdb953103553e65ef1ebf114afd6fa232aa85786fa57226e372876"},
    {"SHA3-224", "605c353a48a56887451a33dc92952d13f4c0da2c101acd2a56a82a62"},
    {"SHA3-256", "ba8be24237b4b9241861055e2459bd8f9ddfd68a7d79233e39aefc9d3d7f8e8e"},
    {"SHA3-384", "3b4f510b60895716e1193acb9fc174ae375548aecc1f25c6a665a0b702089ceb73c9ce46295904b08"
                 "cbcae011abc7661"},
    {"SHA3-512", "245a190af402522450aa250ee683ae0f8f123e0b37e8be620f987df8fcfddc7b596d4b6a9da761c48"
                 "cb733142ba8c4f7d19547c6a308ac9c18bd0aac7109b543"},
    {"MD4", "a02ecd9312ff48055cdfbdec3e6276a3"},
    {"SM3", "c2fe057e760e137fc12cdeb979d9f1b28b731c7c14cbf073d509d3ad86650a16"},
    {"MD5", "af0eae161c1c363c0ad3b0a6a8fa738f"},
    {"SHA384", "6037ce1c15f9fab0fcc3e664cba5bae17534f19a46937125e37d0b19f3dd25b28e654d06e42246b14f2"
               "453e10449e15c"},
};

static size_t usual(OvpnBlockKind kind)
{
  return kind == OVPN_BLOCK_RC2_40 ? 5 : kind == OVPN_BLOCK_RC2_64 ? 8 : 16;
}

static void test_blocks(void)
{
  uint8_t key[32], iv[16], buf[TEXT_LEN], want[TEXT_LEN];
  for (unsigned i = 0; i < 32; i++)
    key[i] = (uint8_t)i;
  for (unsigned i = 0; i < 16; i++)
    iv[i] = (uint8_t)(0xf0 + i);
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
    OvpnBlock b = {0};
    CHECK(ovpn_block_init(&b, blocks[i].kind, key,
                          ovpn_block_key_len(blocks[i].kind, usual(blocks[i].kind), 0)));
    CHECK_INT(check_unhex(blocks[i].answer, want, sizeof want), TEXT_LEN);
    memcpy(buf, text, TEXT_LEN);
    ovpn_block_crypt(&b, blocks[i].mode, true, iv, buf, TEXT_LEN);
    CHECK_MEM(buf, want, TEXT_LEN);
    ovpn_block_crypt(&b, blocks[i].mode, false, iv, buf, TEXT_LEN);
    CHECK_MEM(buf, text, TEXT_LEN);
    if (blocks[i].mode == OVPN_MODE_CBC)
      continue;
    memcpy(buf, text, TEXT_LEN); /* lengths that are no whole blocks */
    ovpn_block_crypt(&b, blocks[i].mode, true, iv, buf, 13);
    CHECK_MEM(buf, want, 13);
  }
}

static void test_macs(void)
{
  uint8_t key[64], tag[OVPN_MAC_MAX], want[OVPN_MAC_MAX];
  for (unsigned i = 0; i < 64; i++)
    key[i] = (uint8_t)i;
  for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++) {
    size_t n = check_unhex(macs[i].answer, want, sizeof want);
    OvpnMac *m = ovpn_mac_new(macs[i].digest, key);
    CHECK(m != NULL);
    CHECK_INT(ovpn_digest_len(macs[i].digest), n);
    for (int twice = 0; m && twice < 2; twice++) {
      CHECK(ovpn_mac_update(m, text, 7) && ovpn_mac_update(m, text + 7, TEXT_LEN - 7));
      ovpn_mac_output(m, tag);
      CHECK_MEM(tag, want, n);
    }
    ovpn_mac_free(m);
  }
  CHECK(!ovpn_mac_new("none", key) && !ovpn_mac_new("whirlpool", key) && !ovpn_mac_new(NULL, key));
}

static void test_names(void)
{
  const char *name = NULL;
  CHECK_INT(ovpn_cipher_find("bf-cbc", &name), OVPN_CIPHER_ABLE);
  CHECK_STR(name, "BF-CBC");
  CHECK_INT(ovpn_cipher_find("id-aes256-GCM", &name), OVPN_CIPHER_ABLE);
  CHECK_STR(name, "AES-256-GCM");
  CHECK_INT(ovpn_cipher_find("seed-cbc", &name), OVPN_CIPHER_MISSING);
  CHECK_STR(name, "SEED-CBC");
  CHECK_INT(ovpn_cipher_find("nonsense", NULL), OVPN_CIPHER_UNKNOWN);
  CHECK_INT(ovpn_cipher_find(NULL, NULL), OVPN_CIPHER_UNKNOWN);
  CHECK(ovpn_cipher_is_short("DES-CBC") && !ovpn_cipher_is_short("AES-128-CBC"));
  CHECK(ovpn_cipher_in_static_key_mode("RC2-CBC") && ovpn_cipher_in_static_key_mode("none"));
  CHECK(!ovpn_cipher_in_static_key_mode("BF-OFB") &&
        !ovpn_cipher_in_static_key_mode("AES-128-GCM"));
  CHECK_INT(ovpn_cipher_key_bits("RC2-40-CBC"), 40);
  CHECK_STR(ovpn_digest_name("rsa-sha2-512/256"), "SHA512-256");
  CHECK_STR(ovpn_digest_name("None"), "none");
  CHECK(!ovpn_digest_name("whirlpool") && !ovpn_digest_name(NULL));
  CHECK_INT(ovpn_digest_len("none"), 0);
}

/* keysize: keys of other lengths, against libcrypto of OpenSSL 3.0 */
static void test_key_lengths(void)
{
  static const struct {
    OvpnBlockKind kind;
    size_t len;
    const char *answer;
  } rows[] = {{OVPN_BLOCK_RC2, 8, "2531fe6113d0fb24426d8e6d4e79d11d"},
              {OVPN_BLOCK_RC2, 24, "4ee2238097ff71e6ddf18815e530f0e8"},
              {OVPN_BLOCK_RC2_40, 16, "87d2e233581e19f7524e8ed1256d7f35"},
              {OVPN_BLOCK_BLOWFISH, 5, "8853a0b84910e742fcaeb1e5d9312354"},
              {OVPN_BLOCK_BLOWFISH, 7, "9f1e0ea0054b22d905e3ae31f799f014"},
              {OVPN_BLOCK_CAST5, 8, "cfc8cfea7ba48b6429463ca0b1fd1721"}};
  uint8_t key[32], want[16], buf[16];
  for (unsigned i = 0; i < sizeof key; i++)
    key[i] = (uint8_t)i;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    OvpnBlock b = {0};
    size_t len = ovpn_block_key_len(rows[i].kind, 16, rows[i].len);
    CHECK_INT(len, rows[i].len);
    CHECK(ovpn_block_init(&b, rows[i].kind, key, len));
    CHECK_INT(check_unhex(rows[i].answer, want, sizeof want), 16);
    memcpy(buf, "0123456789abcdef", 16);
    ovpn_block_crypt(&b, OVPN_MODE_CBC, true, key, buf, 16);
    CHECK_MEM(buf, want, 16);
  }
}

int main(void)
{
  test_key_lengths();
  test_blocks();
  test_macs();
  test_names();
  TEST_END();
}
