"""APNs as far as HTTP/2 goes, by the state machine of the Python package h2, which refuses whatever the protocol forbids.

Arguments: port, folder with server.pem and server-key.pem, manner. Prints "listening", then "accepted <path>" for each
push that it answered with 200, and "violation <what>" if the client broke the protocol.

Manners:
  plain     answers
  goaway    after every 20th stream of a connection GOAWAY, naming the last stream that it will answer
  refuse    resets every fifth stream by REFUSED_STREAM, unanswered
  few       2 streams at once, 1 after the tenth, 3 after the twentieth
  silent    the first connection allows no stream at all, and stays open
  trailers  headers in many frames: a kilobyte of them, and trailers at the end
"""

import collections
import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS

connections = 0
lock = threading.Lock()


def say(text):
    with lock:
        print(text, flush=True)


class Peer:
    def __init__(self, sock, manner, number):
        self.sock = sock
        self.manner = manner
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.paths = {}
        self.bodies = collections.Counter()
        self.streams = 0
        self.last = None
        settings = {MAX_STREAMS: 100}
        if manner == "few":
            settings[MAX_STREAMS] = 2
        if manner == "silent" and number == 1:
            settings[MAX_STREAMS] = 0
        self.http2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.http2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.http2.data_to_send()
        if data:
            self.sock.sendall(data)

    def serve(self):
        while data := self.sock.recv(65536):
            try:
                events = self.http2.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                say(f"violation {type(error).__name__} {error}")
                self.flush()
                return
            for event in events:
                self.handle(event)
            self.flush()
            if self.last is not None and not self.paths:
                return

    def handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.begin(event.stream_id, dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            if event.flow_controlled_length > 0:
                self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.bodies[event.stream_id] += len(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            self.end(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.paths.pop(event.stream_id, None)

    def begin(self, stream, headers):
        if self.last is not None and stream > self.last:
            return
        self.streams += 1
        if self.manner == "refuse" and self.streams % 5 == 0:
            self.http2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        self.paths[stream] = headers[b":path"].decode()
        if self.manner == "goaway" and self.streams == 20:
            self.last = stream
            # h2's own GOAWAY would end the connection before the open streams are answered.
            goaway = hyperframe.frame.GoAwayFrame(last_stream_id=stream)
            self.sock.sendall(goaway.serialize())

    def end(self, stream):
        path = self.paths.pop(stream, None)
        if path is None or self.bodies.pop(stream, 0) == 0:
            return
        headers = [(":status", "200"), ("apns-id", "7b2f1d0e-5c1f-4f43-9a3e-0a1b2c3d4e5f")]
        if self.manner == "trailers":
            headers += [(f"x-filler-{number}", "f" * 500) for number in range(60)]
            self.http2.send_headers(stream, headers)
            self.http2.send_headers(stream, [("x-trailer", "t")], end_stream=True)
        else:
            self.http2.send_headers(stream, headers, end_stream=True)
        if self.manner == "few" and self.streams in (10, 20):
            self.http2.update_settings({MAX_STREAMS: 1 if self.streams == 10 else 3})
        say(f"accepted {path}")


def serve(sock, manner, context):
    global connections
    try:
        with context.wrap_socket(sock, server_side=True) as tls:
            if tls.selected_alpn_protocol() != "h2":
                say("violation no ALPN")
                return
            with lock:
                connections += 1
                number = connections
            Peer(tls, manner, number).serve()
    except OSError:
        pass


def main():
    port, folder, manner = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server-key.pem")
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", port)) as listening:
        say("listening")
        while True:
            sock, _ = listening.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(sock, manner, context), daemon=True).start()


main()
