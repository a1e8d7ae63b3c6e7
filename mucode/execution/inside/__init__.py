"""What runs on the program's side of the wall: standard library only. The judge uses the wire's modules too."""
