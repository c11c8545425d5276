//! Takes one message and ends: what a process costs that does next to nothing.
//!
//! Owns nothing. Part of `skep bench`.

use skep_sdk::prelude::*;

/// The task.
pub struct Once;

impl Task for Once {
    type Args = ();
    type Output = ();

    fn run((): (), context: &TaskContext) -> Result<(), Failure> {
        context.receive(None);
        Ok(())
    }
}

skep_sdk::export!(task Once);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::run_task;

    use super::*;

    #[test]
    fn one_message_is_enough() {
        let go = || Event::Info(Body::Text("go".into()));
        assert_eq!(run_task::<Once>((), [go(), go()]), Ok(()));
    }
}
