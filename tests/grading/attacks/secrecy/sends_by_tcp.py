# A message to a waiting listener.
import socket

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    for host in ("127.0.0.1", "localhost", "::1"):
        try:
            socket.create_connection((host, {PORT}), timeout=1).sendall(b"stolen")
        except OSError:
            pass
    return 0.0
