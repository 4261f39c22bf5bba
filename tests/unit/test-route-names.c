/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in routes, with a resolver of our own: no look-up leaves the program. */
#include "check.h"
#include "helper/core/conf.h"
#include "service/route-names.h"

/* ---- a resolver that knows two names and never answers for a third */

typedef GResolver FakeResolver;
typedef GResolverClass FakeResolverClass;
GType fake_resolver_get_type(void);
G_DEFINE_TYPE(FakeResolver, fake_resolver, G_TYPE_RESOLVER)

static void free_addresses(gpointer list)
{
  g_resolver_free_addresses(list);
}

static void lookup_async(GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr(GTask) task = g_task_new(resolver, cancellable, callback, data);
  GList *found = NULL;
  if (!strcmp(name, "two.test")) {
    found = g_list_append(found, g_inet_address_new_from_string("192.0.2.1"));
    found = g_list_append(found, g_inet_address_new_from_string("192.0.2.2"));
  } else if (!strcmp(name, "one.test"))
    found = g_list_append(found, g_inet_address_new_from_string("198.51.100.1"));
  if (found)
    g_task_return_pointer(task, found, free_addresses);
  else
    g_task_return_new_error(task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "unknown");
}

static GList *lookup_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer(G_TASK(result), error);
}

static void fake_resolver_class_init(FakeResolverClass *class)
{
  class->lookup_by_name_with_flags_async = lookup_async;
  class->lookup_by_name_with_flags_finish = lookup_finish;
  class->lookup_by_name_finish = lookup_finish;
}

static void fake_resolver_init(FakeResolver *self)
{
}

/* ---- tests */

typedef struct Result {
  char *text; /* both lists, "|" between options, "||" between lists */
  guint calls;
} Result;

static void print_list(GString *s, const OvpnOptionList *l)
{
  for (gsize i = 0; i < l->n; i++) {
    char *line = ovpn_option_format(&l->items[i]);
    g_string_append_printf(s, "%s|", line);
    free(line);
  }
}

static void on_done(const OvpnOptionList *profile, const OvpnOptionList *pushed, gpointer data)
{
  Result *r = data;
  GString *s = g_string_new(NULL);
  print_list(s, profile);
  g_string_append_c(s, '|');
  print_list(s, pushed);
  g_free(r->text);
  r->text = g_string_free(s, FALSE);
  r->calls++;
}

static void parse(const char *text, OvpnOptionList *l)
{
  CHECK_INT(ovpn_conf_parse(text, strlen(text), l, NULL), OVPN_OK);
}

/* want NULL: there is nothing to look up */
static void check_names(const char *profile, const char *pushed, gboolean server_too,
                        const char *want)
{
  ovpn_auto_option_list a = {0};
  ovpn_auto_option_list b = {0};
  Result r = {0};
  parse(profile, &a);
  parse(pushed, &b);
  NmOvpnRouteNames *n = nmovpn_route_names_start(&a, &b, server_too, on_done, &r);
  CHECK((n != NULL) == (want != NULL));
  for (guint i = 0; n && !r.calls && i < 100; i++)
    g_main_context_iteration(NULL, TRUE);
  if (want)
    CHECK_STR(r.text, want);
  nmovpn_route_names_free(n);
  g_free(r.text);
}

static void test_cancel(void)
{
  ovpn_auto_option_list a = {0};
  ovpn_auto_option_list none = {0};
  Result r = {0};
  parse("route one.test\n", &a);
  NmOvpnRouteNames *n = nmovpn_route_names_start(&a, &none, FALSE, on_done, &r);
  CHECK(n != NULL);
  nmovpn_route_names_free(n);
  while (g_main_context_iteration(NULL, FALSE))
    ;
  CHECK_INT(r.calls, 0);
}

int main(void)
{
  g_autoptr(GResolver) fake = g_object_new(fake_resolver_get_type(), NULL);
  g_resolver_set_default(fake);
  check_names("route 10.0.0.0 255.0.0.0\n", "route vpn_gateway\nroute remote_host\n", TRUE, NULL);
  check_names("remote one.test\nroute-gateway dhcp\nroute 10.0.0.1 default net_gateway\n", "", TRUE,
              NULL);
  check_names("", "route one.test\n", FALSE, NULL);
  check_names("", "route one.test\n", TRUE, "|route 198.51.100.1|");
  check_names("route two.test 255.255.255.255 net_gateway 5\nca x\n", "route one.test\n", FALSE,
              "route 192.0.2.1 255.255.255.255 net_gateway 5|"
              "route 192.0.2.2 255.255.255.255 net_gateway 5|ca x||route one.test|");
  check_names("route 10.0.0.0 255.0.0.0 two.test\n", "", FALSE,
              "route 10.0.0.0 255.0.0.0 192.0.2.1||");
  check_names("route nowhere.test\nroute-gateway one.test\n", "ifconfig one.test two.test\n", TRUE,
              "route-gateway 198.51.100.1||ifconfig 198.51.100.1 192.0.2.1|");
  check_names("route -x.test\nroute 'a b.test'\nroute one.test\n", "", FALSE,
              "route -x.test|route \"a b.test\"|route 198.51.100.1||");
  test_cancel();
  TEST_END();
}
