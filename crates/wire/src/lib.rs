//! Protocol codecs and state machines, without I/O.
