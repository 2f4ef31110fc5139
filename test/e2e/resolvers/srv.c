/* res_search() for SRV by the C library's resolver, over TCP when the answer is cut: how many records came. */
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>

int main(int argc, char **argv) {
  static unsigned char reply[65536];
  ns_msg message;
  if (argc != 2) return 2;
  int bytes = res_search(argv[1], ns_c_in, ns_t_srv, reply, sizeof reply);
  if (bytes < 0) return 1;
  if (ns_initparse(reply, bytes, &message) < 0) return 3;
  printf("%d\n", ns_msg_count(message, ns_s_an));
  return 0;
}
