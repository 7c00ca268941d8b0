# Signs that no file, no XML and no terminal can hold.
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    print("\ud800 \x00 \x1b[2J ]]> </script><script>alert(1)</script>")
    raise ValueError("\udfff\x00\x08 <b>\u202e & ]]>")
