/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the editor: which option stands where, under which words.
 *
 * One line per row; directives and keys come from options.def by the id. The order here is the
 * order on the page. Options without a row are reached through "Other options". */
#include "properties/editor-private.h"

const char *const editor_section_titles[SECTION_COUNT] = {
    [SECTION_SIGN_IN] = N_("Sign-in"),   [SECTION_CONNECTION] = N_("Connection"),
    [SECTION_SECURITY] = N_("Security"), [SECTION_SERVER] = N_("Server identity"),
    [SECTION_PROXY] = N_("Proxy"),       [SECTION_ROUTING] = N_("Routing and DNS"),
    [SECTION_TIMEOUTS] = N_("Timeouts"), [SECTION_OTHER] = N_("Other options"),
};

static const Choice proto_choices[] = {{NULL, N_("UDP")}, {"yes", N_("TCP")}, {NULL, NULL}};
/* TRANSLATORS: kind of the tunnel: the name of the interface decides */
static const Choice device_choices[] = {{NULL, N_("As the name says")},
                                        {"tun", N_("IP packets (TUN)")},
                                        {"tap", N_("Ethernet frames (TAP)")},
                                        {NULL, NULL}};
static const Choice disc_choices[] = {{NULL, N_("As the system does")},
                                      {"no", N_("Never")},
                                      /* TRANSLATORS: path MTU discovery: what the route says */
                                      {"maybe", N_("Per route")},
                                      {"yes", N_("Always")},
                                      {NULL, NULL}};
static const Choice direction_choices[] = {
    {NULL, N_("Both directions")}, {"0", "0"}, {"1", N_("1 (usual for clients)")}, {NULL, NULL}};
static const Choice cipher_choices[] = {
    {NULL, N_("Default")},          {"AES-256-GCM", "AES-256-GCM"},
    {"AES-128-GCM", "AES-128-GCM"}, {"CHACHA20-POLY1305", "CHACHA20-POLY1305"},
    {"AES-256-CBC", "AES-256-CBC"}, {"AES-192-CBC", "AES-192-CBC"},
    {"AES-128-CBC", "AES-128-CBC"}, {NULL, NULL}};
static const Choice auth_choices[] = {{NULL, N_("Default")}, {"SHA1", "SHA1"},
                                      {"SHA256", "SHA256"},  {"SHA384", "SHA384"},
                                      {"SHA512", "SHA512"},  {"none", N_("None (insecure)")},
                                      {NULL, NULL}};
static const Choice version_choices[] = {{NULL, N_("Default")}, {"1.0", "TLS 1.0"},
                                         {"1.1", "TLS 1.1"},    {"1.2", "TLS 1.2"},
                                         {"1.3", "TLS 1.3"},    {NULL, NULL}};
static const Choice profile_choices[] = {{NULL, N_("Default")},
                                         {"legacy", N_("Old certificates too")},
                                         {"preferred", N_("Modern certificates only")},
                                         {"suiteb", N_("Suite B")},
                                         /* TRANSLATORS: certificates with broken algorithms */
                                         {"insecure", N_("Broken ones too (insecure)")},
                                         {NULL, NULL}};
/* TRANSLATORS: compression: the format of the packets, but nothing is compressed */
static const Choice compress_choices[] = {{NULL, N_("Off")},    {"yes", N_("Framing only")},
                                          {"lzo", "LZO"},       {"lz4", "LZ4"},
                                          {"lz4-v2", "LZ4 v2"}, {NULL, NULL}};
static const Choice lzo_choices[] = {{NULL, N_("Not used")},
                                     {"adaptive", N_("Adaptive")},
                                     {"yes", N_("Always")},
                                     {"no-by-default", N_("Framing only")},
                                     {NULL, NULL}};
static const Choice allow_choices[] = {{NULL, N_("Default")},
                                       {"no", N_("Never")},
                                       {"asym", N_("Receive only")},
                                       {"yes", N_("Both ways (insecure)")},
                                       {NULL, NULL}};
static const Choice role_choices[] = {{NULL, N_("Not checked")},
                                      {"server", N_("Must be a server")},
                                      {"client", N_("Must be a client")},
                                      {NULL, NULL}};
static const Choice name_choices[] = {{"name", N_("Common name")},
                                      {"subject", N_("Whole subject")},
                                      {"name-prefix", N_("Start of the common name")},
                                      {NULL, NULL}};
static const Choice proxy_choices[] = {
    /* TRANSLATORS: no proxy, no user name */
    {NULL, N_("None")},
    {"http", "HTTP"},
    {"socks", "SOCKS"},
    {NULL, NULL}};
static const Choice topology_choices[] = {
    {NULL, N_("As the server says")},
    {"subnet", N_("Subnet")},
    {"p2p", N_("Point to point")},
    /* TRANSLATORS: net30 is a word of OpenVPN: four addresses for each client */
    {"net30", N_("Net30 (old)")},
    {NULL, NULL}};
static const Choice route_choices[] = {{"server", N_("As the server says")},
                                       {"always", N_("Always")},
                                       {"never", N_("Never")},
                                       {NULL, NULL}};
static const Choice guard_choices[] = {
    {NULL, N_("Blocked")}, {"no", N_("Goes past the tunnel")}, {NULL, NULL}};
static const Choice retry_choices[] = {{NULL, N_("Give up")},
                                       {"interact", N_("Ask again")},
                                       {"nointeract", N_("Try again without asking")},
                                       {NULL, NULL}};

#define KEY_ROW(id, section, kind, types, label, ...)                                              \
  {                                                                                                \
    OVPN_OPT_##id, SECTION_##section, ROW_##kind, PLACE_KEY, types, label, __VA_ARGS__             \
  }
#define LINE_ROW(id, section, kind, types, label, ...)                                             \
  {                                                                                                \
    OVPN_OPT_##id, SECTION_##section, ROW_##kind, PLACE_LINE, types, label, __VA_ARGS__            \
  }
#define FILE_ROW(id, section, types, label, what, ...)                                             \
  {                                                                                                \
    OVPN_OPT_##id, SECTION_##section, ROW_FILE, PLACE_PATH, types, label, .file = what,            \
                                                                          __VA_ARGS__              \
  }
#define SECRET_ROW(id, section, types, label, name)                                                \
  {                                                                                                \
    OVPN_OPT_##id, SECTION_##section, ROW_SECRET, PLACE_KEY, types, label, .secret = name          \
  }
#define TEXT(text) .placeholder = text
#define CHOICE(list) .choices = list

const Binding editor_bindings[] = {
    /* ---- sign-in */
    KEY_ROW(AUTH_USER_PASS, SIGN_IN, TEXT, FOR_ANY_PASSWORD, N_("_User name"),
            .key = NMOVPN_KEY_USERNAME, TEXT(N_("Asked when connecting"))),
    SECRET_ROW(AUTH_USER_PASS, SIGN_IN, FOR_ANY_PASSWORD, N_("_Password"), NMOVPN_SECRET_PASSWORD),
    FILE_ROW(CA, SIGN_IN, FOR_ANY_TLS, N_("Certificate _of the authority"), CERT_WHAT_CA),
    FILE_ROW(CERT, SIGN_IN, FOR_ANY_CERT, N_("Your certificat_e"), CERT_WHAT_CERT),
    FILE_ROW(KEY, SIGN_IN, FOR_ANY_CERT, N_("Your private _key"), CERT_WHAT_KEY),
    SECRET_ROW(ASKPASS, SIGN_IN, FOR_ANY_CERT, N_("Private ke_y password"),
               NMOVPN_SECRET_CERT_PASS),
    FILE_ROW(SECRET, SIGN_IN, FOR_STATIC, N_("_Shared key"), CERT_WHAT_STATIC_KEY),
    KEY_ROW(SECRET, SIGN_IN, CHOICE, FOR_STATIC, N_("Direction of the shared key"),
            .key = KEY_STATIC_KEY_DIR, CHOICE(direction_choices)),
    KEY_ROW(IFCONFIG, SIGN_IN, TEXT, FOR_STATIC, N_("Own address in the tunnel"),
            .key = KEY_LOCAL_IP),
    KEY_ROW(IFCONFIG, SIGN_IN, TEXT, FOR_STATIC, N_("Address of the other end"),
            .key = KEY_REMOTE_IP),

    /* ---- connection */
    KEY_ROW(PORT, CONNECTION, TEXT, FOR_ALL, N_("Usual port"), TEXT("1194")),
    KEY_ROW(PROTO, CONNECTION, CHOICE, FOR_ALL, N_("Usual protocol"), CHOICE(proto_choices)),
    KEY_ROW(REMOTE_RANDOM, CONNECTION, SWITCH, FOR_ALL, N_("Servers in random order")),
    KEY_ROW(REMOTE_RANDOM_HOSTNAME, CONNECTION, SWITCH, FOR_ALL,
            N_("Random host name before the server's")),
    KEY_ROW(FLOAT, CONNECTION, SWITCH, FOR_ALL, N_("Server may change its address")),
    /* TRANSLATORS: for a port, an address or a name */
    LINE_ROW(LPORT, CONNECTION, TEXT, FOR_ALL, N_("Local port"), TEXT(N_("Any"))),
    LINE_ROW(LOCAL, CONNECTION, TEXT, FOR_ALL, N_("Local address"), TEXT(N_("Any"))),
    {OVPN_OPT_DEV, SECTION_CONNECTION, ROW_TEXT, PLACE_PATH, FOR_ALL, N_("Name of the interface"),
     TEXT("tun")},
    KEY_ROW(DEV_TYPE, CONNECTION, CHOICE, FOR_ALL, N_("Kind of tunnel"), CHOICE(device_choices)),
    KEY_ROW(TUN_MTU, CONNECTION, TEXT, FOR_ALL, N_("Packet size in the tunnel"), TEXT("1500")),
    KEY_ROW(MSSFIX, CONNECTION, TEXT, FOR_ALL, N_("Limit of TCP packets"), TEXT("1492")),
    KEY_ROW(FRAGMENT, CONNECTION, TEXT, FOR_ALL, N_("Split packets larger than"),
            TEXT(N_("Not split"))),
    KEY_ROW(MTU_DISC, CONNECTION, CHOICE, FOR_ALL, N_("Path MTU discovery"), CHOICE(disc_choices)),
    LINE_ROW(SNDBUF, CONNECTION, TEXT, FOR_ALL, N_("Send buffer in bytes"),
             TEXT(N_("As the system does"))),
    LINE_ROW(RCVBUF, CONNECTION, TEXT, FOR_ALL, N_("Receive buffer in bytes"),
             TEXT(N_("As the system does"))),
    /* TRANSLATORS: how many messages tell the server that we leave */
    LINE_ROW(EXPLICIT_EXIT_NOTIFY, CONNECTION, TEXT, FOR_ALL, N_("Goodbyes sent to the server"),
             TEXT(N_("As the server says"))),
    KEY_ROW(COMPRESS, CONNECTION, CHOICE, FOR_ALL, N_("Compression"), CHOICE(compress_choices)),
    KEY_ROW(COMP_LZO, CONNECTION, CHOICE, FOR_ALL, N_("Compression, old form"),
            CHOICE(lzo_choices)),
    KEY_ROW(ALLOW_COMPRESSION, CONNECTION, CHOICE, FOR_ALL, N_("Allow compression"),
            CHOICE(allow_choices)),
    KEY_ROW(PUSH_PEER_INFO, CONNECTION, SWITCH, FOR_ANY_TLS,
            N_("Tell the server about this computer")),
    LINE_ROW(AUTH_RETRY, CONNECTION, CHOICE, FOR_ANY_PASSWORD, N_("When the password is refused"),
             CHOICE(retry_choices)),

    /* ---- security */
    FILE_ROW(TLS_CRYPT, SECURITY, FOR_ANY_TLS, N_("Key that encrypts the handshake"),
             CERT_WHAT_STATIC_KEY),
    FILE_ROW(TLS_CRYPT_V2, SECURITY, FOR_ANY_TLS, N_("Own key that encrypts the handshake"),
             CERT_WHAT_V2_KEY),
    FILE_ROW(TLS_AUTH, SECURITY, FOR_ANY_TLS, N_("Key that signs the handshake"),
             CERT_WHAT_STATIC_KEY),
    KEY_ROW(KEY_DIRECTION, SECURITY, CHOICE, FOR_ANY_TLS, N_("Direction of that key"),
            .key = KEY_TA_DIR, CHOICE(direction_choices)),
    KEY_ROW(DATA_CIPHERS, SECURITY, TEXT, FOR_ANY_TLS, N_("Ciphers offered for data"),
            TEXT("AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305")),
    KEY_ROW(DATA_CIPHERS_FALLBACK, SECURITY, CHOICE, FOR_ANY_TLS,
            N_("Cipher for servers that do not choose"), CHOICE(cipher_choices)),
    KEY_ROW(CIPHER, SECURITY, CHOICE, FOR_ALL, N_("Cipher of old servers"), CHOICE(cipher_choices)),
    KEY_ROW(AUTH, SECURITY, CHOICE, FOR_ALL, N_("Digest that signs packets"), CHOICE(auth_choices)),
    KEY_ROW(TLS_VERSION_MIN, SECURITY, CHOICE, FOR_ANY_TLS, N_("Oldest TLS version"),
            CHOICE(version_choices)),
    KEY_ROW(TLS_VERSION_MIN, SECURITY, SWITCH, FOR_ANY_TLS,
            N_("Accept the newest version there is if older"), .key = KEY_TLS_VERSION_OR_HIGHEST),
    KEY_ROW(TLS_VERSION_MAX, SECURITY, CHOICE, FOR_ANY_TLS, N_("Newest TLS version"),
            CHOICE(version_choices)),
    KEY_ROW(TLS_CIPHER, SECURITY, TEXT, FOR_ANY_TLS, N_("Ciphers up to TLS 1.2"),
            TEXT(N_("Default"))),
    LINE_ROW(TLS_CIPHERSUITES, SECURITY, TEXT, FOR_ANY_TLS, N_("Ciphers of TLS 1.3"),
             TEXT(N_("Default"))),
    LINE_ROW(TLS_GROUPS, SECURITY, TEXT, FOR_ANY_TLS, N_("Groups for the key exchange"),
             TEXT(N_("Default"))),
    LINE_ROW(TLS_CERT_PROFILE, SECURITY, CHOICE, FOR_ANY_TLS, N_("Strength of certificates"),
             CHOICE(profile_choices)),
    FILE_ROW(EXTRA_CERTS, SECURITY, FOR_ANY_CERT, N_("More certificates to send"), CERT_WHAT_EXTRA),

    /* ---- server identity */
    KEY_ROW(REMOTE_CERT_TLS, SERVER, CHOICE, FOR_ANY_TLS, N_("Role in the certificate"),
            CHOICE(role_choices)),
    {OVPN_OPT_VERIFY_X509_NAME, SECTION_SERVER, ROW_TEXT, PLACE_AFTER, FOR_ANY_TLS,
     N_("Name in the certificate"), TEXT(N_("Any"))},
    {OVPN_OPT_VERIFY_X509_NAME, SECTION_SERVER, ROW_CHOICE, PLACE_BEFORE, FOR_ANY_TLS,
     /* TRANSLATORS: in which part of the certificate the name is looked for */
     N_("Where that name stands"), CHOICE(name_choices)},
    KEY_ROW(TLS_REMOTE, SERVER, TEXT, FOR_ANY_TLS, N_("Name in the certificate, old form"),
            TEXT(N_("Any"))),
    {OVPN_OPT_PEER_FINGERPRINT, SECTION_SERVER, ROW_TEXT, PLACE_LINES, FOR_ANY_TLS,
     N_("Fingerprints of certificates"), TEXT(N_("Not checked"))},
    LINE_ROW(VERIFY_HASH, SERVER, TEXT, FOR_ANY_TLS, N_("Fingerprint of the authority"),
             TEXT(N_("Not checked"))),
    LINE_ROW(REMOTE_CERT_EKU, SERVER, TEXT, FOR_ANY_TLS, N_("Purpose in the certificate"),
             TEXT(N_("Not checked"))),
    KEY_ROW(NS_CERT_TYPE, SERVER, CHOICE, FOR_ANY_TLS, N_("Role in the certificate, old form"),
            CHOICE(role_choices)),
    FILE_ROW(CRL_VERIFY, SERVER, FOR_ANY_TLS, N_("List of revoked certificates"), CERT_WHAT_CRL),
    FILE_ROW(CRL_VERIFY, SERVER, FOR_ANY_TLS, N_("Folder with lists of revoked certificates"),
             CERT_WHAT_CRL_DIR, .key = KEY_CRL_DIR, .shown = "crl-verify … dir"),

    /* ---- proxy */
    KEY_ROW(HTTP_PROXY, PROXY, CHOICE, FOR_ALL, N_("Kind of proxy"), CHOICE(proxy_choices)),
    KEY_ROW(HTTP_PROXY, PROXY, TEXT, FOR_ALL, N_("Host name of the proxy"),
            .key = KEY_PROXY_SERVER),
    KEY_ROW(HTTP_PROXY, PROXY, TEXT, FOR_ALL, N_("Port of the proxy"), .key = KEY_PROXY_PORT,
            TEXT(N_("8080, SOCKS: 1080"))),
    KEY_ROW(HTTP_PROXY_USER_PASS, PROXY, TEXT, FOR_ALL, N_("Proxy user name"),
            .key = KEY_PROXY_USERNAME, TEXT(N_("None"))),
    SECRET_ROW(HTTP_PROXY_USER_PASS, PROXY, FOR_ALL, N_("Proxy password"),
               NMOVPN_SECRET_PROXY_PASSWORD),

    /* ---- routing and DNS */
    {OVPN_OPT_REDIRECT_GATEWAY, SECTION_ROUTING, ROW_CHOICE, PLACE_ROUTE, FOR_ALL,
     N_("Route all traffic"), .key = NMOVPN_KEY_DEFAULT_ROUTE, CHOICE(route_choices)},
    LINE_ROW(ROUTE_NOPULL, ROUTING, SWITCH, FOR_ANY_TLS, N_("Ignore the server's routes and DNS")),
    /* TRANSLATORS: "Default" stands for a number, a cipher or a version */
    LINE_ROW(ROUTE_METRIC, ROUTING, TEXT, FOR_ALL, N_("Metric of the routes"), TEXT(N_("Default"))),
    LINE_ROW(ROUTE_GATEWAY, ROUTING, TEXT, FOR_ALL, N_("Gateway of the routes"),
             TEXT(N_("As the server says"))),
    LINE_ROW(BLOCK_IPV6, ROUTING, SWITCH, FOR_ALL, N_("Block IPv6")),
    KEY_ROW(BLOCK_IPV6, ROUTING, CHOICE, FOR_ALL, N_("IPv6 when only IPv4 goes through the tunnel"),
            .key = NMOVPN_KEY_IPV6_GUARD, CHOICE(guard_choices), .shown = NMOVPN_KEY_IPV6_GUARD),
    LINE_ROW(TOPOLOGY, ROUTING, CHOICE, FOR_ALL, N_("Kind of addresses"), CHOICE(topology_choices)),
    KEY_ROW(ALLOW_PULL_FQDN, ROUTING, SWITCH, FOR_ANY_TLS,
            N_("Accept names in the server's routes")),

    /* ---- timeouts, all in seconds */
    KEY_ROW(CONNECT_TIMEOUT, TIMEOUTS, TEXT, FOR_ALL, N_("Wait for a server, in seconds"),
            TEXT("120")),
    /* TRANSLATORS: how often each server is tried before giving up */
    LINE_ROW(CONNECT_RETRY_MAX, TIMEOUTS, TEXT, FOR_ALL, N_("Rounds through all servers"),
             TEXT(N_("No limit"))),
    LINE_ROW(CONNECT_RETRY, TIMEOUTS, TEXT, FOR_ALL, N_("Pause between attempts, in seconds"),
             TEXT("1 300")),
    /* TRANSLATORS: the number is typed in; “…” stands for it */
    KEY_ROW(PING, TIMEOUTS, TEXT, FOR_ALL, N_("Sign of life every … seconds"),
            TEXT(N_("As the server says"))),
    KEY_ROW(PING_RESTART, TIMEOUTS, TEXT, FOR_ALL, N_("Reconnect after silence, in seconds"),
            TEXT(N_("As the server says"))),
    KEY_ROW(PING_EXIT, TIMEOUTS, TEXT, FOR_ALL, N_("Disconnect after silence, in seconds"),
            TEXT(N_("Never"))),
    LINE_ROW(INACTIVE, TIMEOUTS, TEXT, FOR_ALL, N_("Disconnect when idle, in seconds"),
             TEXT(N_("Never"))),
    LINE_ROW(SESSION_TIMEOUT, TIMEOUTS, TEXT, FOR_ANY_TLS, N_("Longest session, in seconds"),
             TEXT(N_("No limit"))),
    KEY_ROW(RENEG_SEC, TIMEOUTS, TEXT, FOR_ANY_TLS, N_("New keys every … seconds"),
            TEXT(N_("As the server does"))),
    LINE_ROW(HAND_WINDOW, TIMEOUTS, TEXT, FOR_ANY_TLS, N_("Longest handshake, in seconds"),
             TEXT("60")),
    LINE_ROW(TLS_TIMEOUT, TIMEOUTS, TEXT, FOR_ANY_TLS, N_("Repeat lost packets after … seconds"),
             TEXT("2")),
};
const guint editor_n_bindings = G_N_ELEMENTS(editor_bindings);
