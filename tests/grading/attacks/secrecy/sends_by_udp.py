# The same without a connection.
import socket

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"stolen", ("127.0.0.1", {PORT}))
    return 0.0
