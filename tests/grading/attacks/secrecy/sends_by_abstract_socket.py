# A socket without a file, which belongs to a network namespace.
import socket

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"stolen", b"\0course-{PORT}")
    return 0.0
