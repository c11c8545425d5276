//! Traps, fails, stops or declines in whichever callback it is told.
//!
//! Owns the plan of what to do where, which is its state. What faults are tried on.

use std::time::Duration;

use skep_sdk::prelude::*;

/// The server. What it shall do travels in its state, or `restore` would not know.
#[derive(Default, Serialize, Deserialize)]
pub struct Trapper {
    in_save: Option<How>,
    in_restore: Option<How>,
    in_terminate: Option<How>,
    /// In `handle_down` or `handle_exit`.
    when_told: Option<How>,
}

/// How to come to grief.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum How {
    /// A panic with this text: a line in the log, then a trap.
    Panic(String),
    /// The instruction `unreachable`, without a word.
    Unreachable,
    /// An address outside the memory.
    OutOfBounds,
    /// An error's text, which leaves the instance sound (in `terminate`: a panic).
    Fail(String),
    /// A stop with this reason (in `save` and `restore`: a panic).
    Stop(ExitReason),
    /// The import `stop`, from inside.
    StopNow(ExitReason),
    /// In `init`: there is nothing to do (elsewhere: a panic).
    Ignore,
    /// An import that acts, where none may: traps in `save` and `restore`, else does nothing.
    Act,
}

/// Where.
#[derive(Serialize, Deserialize)]
pub enum Where {
    /// In `init`; for the arguments.
    Init(How),
    /// In the handler that gets this.
    Here(How),
    /// When the state is saved.
    Save(How),
    /// When it is restored.
    Restore(How),
    /// At the end.
    Terminate(How),
    /// Nowhere: replies.
    Nowhere,
    /// In `handle_continue`, right after the reply.
    Continue(How),
    /// In `handle_timer`, which it brings about itself.
    Timer(How),
    /// In `handle_down`, of a process that is not there.
    Down(How),
    /// In `handle_exit`, of a signal that it sends itself.
    Exit(How),
}

#[server]
impl Server for Trapper {
    /// A plan, or nothing.
    type Args = Option<Where>;
    type Call = Where;
    type Cast = Where;
    type Info = Where;
    type Continue = How;
    type Timer = How;

    fn init(plan: Option<Where>, context: &Context) -> Start<Self> {
        let mut trapper = Trapper::default();
        match plan {
            Some(Where::Init(How::Fail(why))) => Err(NotStarted::Failed(why)),
            Some(Where::Init(How::Stop(reason))) => Err(NotStarted::Stop(reason)),
            Some(Where::Init(How::Ignore)) => Err(NotStarted::Ignore),
            Some(Where::Init(how)) => {
                grief(&how, context);
                Ok(trapper)
            }
            Some(plan) => {
                let _: Outcome = trapper.follow(plan, context);
                Ok(trapper)
            }
            None => Ok(trapper),
        }
    }

    fn handle_call(&mut self, plan: Where, _: From<Self>, context: &Context) -> Outcome<(), How> {
        match plan {
            Where::Continue(how) => reply(()).then_continue(how),
            Where::Here(How::Stop(reason)) => reply(()).stop(reason),
            Where::Here(_) => self.follow(plan, context),
            plan => {
                let _: Outcome = self.follow(plan, context);
                reply(())
            }
        }
    }

    fn handle_cast(&mut self, plan: Where, context: &Context) -> Outcome<Never, How> {
        self.follow(plan, context)
    }

    fn handle_info(&mut self, plan: Where, context: &Context) -> Outcome<Never, How> {
        self.follow(plan, context)
    }

    fn handle_continue(&mut self, how: How, context: &Context) -> Outcome<Never, How> {
        self.follow(Where::Here(how), context)
    }

    fn handle_timer(&mut self, timer: Timer<How>, context: &Context) -> Outcome<Never, How> {
        self.follow(Where::Here(timer.message), context)
    }

    fn handle_down(&mut self, _: Down, context: &Context) -> Outcome<Never, How> {
        self.told(context)
    }

    fn handle_exit(&mut self, _: Exit, context: &Context) -> Outcome<Never, How> {
        self.told(context)
    }

    type State = Self;

    fn save(&self) -> Result<Saved<'_, Self>, Failure> {
        hook(self.in_save.as_ref())?;
        Ok(Saved::Borrowed(self))
    }

    fn restore(state: Self, _: &MigrateContext) -> Result<Self, Failure> {
        hook(state.in_restore.as_ref())?;
        Ok(state)
    }

    fn terminate(&mut self, _: &ExitReason, context: &Context) {
        match &self.in_terminate {
            Some(How::Stop(reason)) => context.stop(reason.clone()),
            Some(how) => grief(how, context),
            None => {}
        }
    }
}

impl Trapper {
    fn told<R, C>(&mut self, context: &Context) -> Outcome<R, C> {
        let plan = self.when_told.take().map_or(Where::Nowhere, Where::Here);
        self.follow(plan, context)
    }

    fn follow<R, C>(&mut self, plan: Where, context: &Context) -> Outcome<R, C> {
        match plan {
            Where::Here(How::Fail(why)) => return fail(why),
            Where::Here(How::Stop(reason)) => return noreply().stop(reason),
            Where::Here(how) | Where::Init(how) | Where::Continue(how) => grief(&how, context),
            Where::Save(how) => self.in_save = Some(how),
            Where::Restore(how) => self.in_restore = Some(how),
            Where::Terminate(how) => self.in_terminate = Some(how),
            Where::Timer(how) => {
                context.start_timer(Duration::ZERO, &how);
            }
            Where::Down(how) => {
                self.when_told = Some(how);
                context.monitor("nobody");
            }
            Where::Exit(how) => {
                self.when_told = Some(how);
                context.trap_exit(true);
                context.exit(context.me(), &ExitReason::Noproc);
            }
            Where::Nowhere => {}
        }
        noreply()
    }
}

/// What can be done with a context.
fn grief(how: &How, context: &Context) {
    match how {
        How::StopNow(reason) => context.stop(reason.clone()),
        How::Act => act(),
        other => ruin(other),
    }
}

/// What can be done without one.
fn hook(how: Option<&How>) -> Result<(), Failure> {
    match how {
        None => Ok(()),
        Some(How::Fail(why)) => Err(why.as_str().into()),
        Some(How::Act) => {
            act();
            Ok(())
        }
        Some(how) => {
            ruin(how);
            Ok(())
        }
    }
}

fn ruin(how: &How) {
    match how {
        How::Panic(why) | How::Fail(why) => panic!("{why}"),
        How::Unreachable => unreachable_instruction(),
        How::OutOfBounds => out_of_bounds(),
        _ => panic!("this cannot be done here"),
    }
}

/// Kills nobody, by the bare import: the SDK gives a state hook no way to act, so this is how a hostile guest would.
#[allow(unsafe_code, reason = "an import that is declared by hand")]
fn act() {
    #[cfg(target_arch = "wasm32")]
    {
        #[link(wasm_import_module = "skep:process/links@0.1.0")]
        unsafe extern "C" {
            fn kill(node: u32, id: u64, tag: u64);
        }
        // SAFETY: the signature is the contract's, lowered: a record of three numbers.
        unsafe { kill(0, 0, 0) }
    }
}

#[cfg(target_arch = "wasm32")]
fn unreachable_instruction() {
    core::arch::wasm32::unreachable();
}

#[cfg(not(target_arch = "wasm32"))]
fn unreachable_instruction() {
    panic!("only Wasm has this instruction");
}

#[allow(unsafe_code, reason = "the fault is the purpose; in Wasm it is a trap and nothing worse")]
fn out_of_bounds() {
    #[cfg(target_arch = "wasm32")]
    // SAFETY: none, in the language's terms; the read cannot be moved or removed, and the sandbox ends it.
    unsafe {
        std::hint::black_box(std::ptr::read_volatile(std::hint::black_box(0xffff_fff0usize) as *const u8));
    }
    #[cfg(not(target_arch = "wasm32"))]
    panic!("natively this would be worse than a trap");
}

skep_sdk::export!(Trapper);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn init_declines_as_told() {
        let start = |how| Harness::<Trapper>::start(Some(Where::Init(how))).map(|_| ());
        assert_eq!(start(How::Ignore), Err(NotStarted::Ignore));
        assert_eq!(start(How::Fail("no".into())), Err(NotStarted::Failed("no".into())));
        assert_eq!(start(How::StopNow(ExitReason::Normal)), Err(NotStarted::Stop(ExitReason::Normal)));
    }

    #[test]
    fn a_refused_save_leaves_it_alive() {
        let mut trapper = Harness::<Trapper>::start(None).expect("init succeeds");
        assert_eq!(trapper.call_json(r#"{"Save":{"Fail":"not now"}}"#).as_deref(), Ok("null"));
        assert_eq!(trapper.save(), Err("not now".to_owned()));
        assert_eq!(trapper.call(Where::Nowhere), Ok(()));
    }

    #[test]
    fn stops_with_the_reason_given() {
        let mut trapper = Harness::<Trapper>::start(None).expect("init succeeds").always_hibernating();
        trapper.cast(Where::Here(How::Stop(ExitReason::Shutdown(None))));
        assert_eq!(trapper.ended(), Some(&ExitReason::Shutdown(None)));
    }
}
