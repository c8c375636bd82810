//! What does `frazil` do when it is called?
fn main() {}
