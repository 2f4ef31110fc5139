import java.net.InetAddress;
import java.net.UnknownHostException;

/** Java's InetAddress: an address a line; exit code 1 and the reason when there are none. */
public class Lookup {
  public static void main(String[] words) {
    try {
      for (InetAddress address : InetAddress.getAllByName(words[0])) System.out.println(address.getHostAddress());
    } catch (UnknownHostException error) {
      System.err.println(error.getMessage());
      System.exit(1);
    }
  }
}
