"""Faults for tests: a child process that is killed, refused or cut off at any system call."""
