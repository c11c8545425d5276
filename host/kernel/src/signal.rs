//! (being written)
#[derive(Debug)] pub struct Action; #[derive(Debug)] pub struct Delivery; #[derive(Debug)] pub struct Signal;
