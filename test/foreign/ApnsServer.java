// The mock server of the APNs client Pushy. It checks what it gets by rules of its own: path, token, topic, provider token
// and its signature, expiration, collapse id, size. Prints "listening", then a line for each push.
//
// Arguments: port, streams per connection, folder with server.pem, server-key.pem and apns-public.pem, key id, team id,
// topic, how many phones there are. Tokens are the phones' numbers as 64 hex digits; phone 0 was removed an hour ago.

import com.eatthepath.pushy.apns.auth.ApnsVerificationKey;
import com.eatthepath.pushy.apns.server.MockApnsServerBuilder;
import com.eatthepath.pushy.apns.server.MockApnsServerListener;
import com.eatthepath.pushy.apns.server.PushNotificationHandler;
import com.eatthepath.pushy.apns.server.RejectionReason;
import com.eatthepath.pushy.apns.server.ValidatingPushNotificationHandlerFactory;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

public class ApnsServer {
  public static void main(String[] args) throws Exception {
    File folder = new File(args[2]);
    String keyId = args[3];
    String topic = args[5];
    ApnsVerificationKey key =
        ApnsVerificationKey.loadFromPkcs8File(new File(folder, "apns-public.pem"), args[4], keyId);
    Set<String> tokens = new HashSet<>();
    for (int phone = 0; phone < Integer.parseInt(args[6]); phone += 1) {
      tokens.add(String.format("%064x", phone));
    }
    Map<String, ApnsVerificationKey> keys = new HashMap<>();
    keys.put(keyId, key);
    Map<String, Instant> removed = new HashMap<>();
    removed.put(String.format("%064x", 0), Instant.now().minusSeconds(3600));
    var rules =
        new ValidatingPushNotificationHandlerFactory(
            Map.of(topic, tokens), removed, keys, Map.of(key, Set.of(topic)));
    new MockApnsServerBuilder()
        .setServerCredentials(
            new File(folder, "server.pem"), new File(folder, "server-key.pem"), null)
        .setUseAlpn(true)
        .setMaxConcurrentStreams(Integer.parseInt(args[1]))
        .setHandlerFactory(session -> withDerSignature(rules.buildHandler(session)))
        .setListener(new Printer())
        .build()
        .start(Integer.parseInt(args[0]))
        .get();
    System.out.println("listening");
    Thread.currentThread().join();
  }

  /** Pushy verifies signatures in DER, and nothing else; a JWT (RFC 7518, 3.4) has the two numbers side by side. */
  private static PushNotificationHandler withDerSignature(PushNotificationHandler rules) {
    return (headers, payload) -> {
      CharSequence authorization = headers.get("authorization");
      if (authorization != null) headers.set("authorization", toDer(authorization.toString()));
      rules.handlePushNotification(headers, payload);
    };
  }

  private static String toDer(String authorization) {
    int start = authorization.lastIndexOf('.') + 1;
    byte[] signature = Base64.getUrlDecoder().decode(authorization.substring(start));
    if (signature.length != 64) return authorization;
    ByteArrayOutputStream numbers = new ByteArrayOutputStream();
    for (int from = 0; from < 64; from += 32) {
      byte[] number = new BigInteger(1, Arrays.copyOfRange(signature, from, from + 32)).toByteArray();
      numbers.write(2);
      numbers.write(number.length);
      numbers.writeBytes(number);
    }
    ByteArrayOutputStream der = new ByteArrayOutputStream();
    der.write(0x30);
    der.write(numbers.size());
    der.writeBytes(numbers.toByteArray());
    return authorization.substring(0, start)
        + Base64.getUrlEncoder().withoutPadding().encodeToString(der.toByteArray());
  }

  private static class Printer implements MockApnsServerListener {
    @Override
    public void handlePushNotificationAccepted(Http2Headers headers, ByteBuf payload) {
      print("accepted", headers, payload.toString(StandardCharsets.UTF_8));
    }

    @Override
    public void handlePushNotificationRejected(
        Http2Headers headers, ByteBuf payload, RejectionReason reason, Instant since) {
      print("rejected", headers, reason.toString());
    }

    private static synchronized void print(String what, Http2Headers headers, String rest) {
      System.out.println(what + " " + headers.path() + " " + rest);
    }
  }
}
