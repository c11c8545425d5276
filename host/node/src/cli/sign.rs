//! `skep sign`.
//!
//! Owns asking for passwords. Keys and signatures are `signing`'s.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::{output, safe, upgrade};
use crate::node::log::now_ms;
use crate::signing;
use crate::signing::admission::BadKey;
use crate::signing::secret::{self, Locked, Pair, Secret, SigningError};

/// Signs modules, for nodes that run signed code only
///
/// Leaves MODULE.wasm.minisig beside each module, where `skep run`, `deploy` and `upgrade` find it. Keys and signatures
/// are minisign's: `minisign -G` makes keys for this command too, and `minisign -V` checks what it signs. A password is
/// asked for on the terminal, or read from standard input where that is none.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep sign --new-key release                  # release.key, release.pub\n  \
                        skep build && skep sign target/skep/counter.wasm --key release.key\n  \
                        skep run counter.toml --require-signed release.pub\n  \
                        skep sign --new-key ci --no-password --json")]
pub(super) struct Sign {
    /// The modules to sign
    #[arg(value_name = "MODULE.wasm", required_unless_present = "new_key")]
    modules: Vec<PathBuf>,

    /// The secret key to sign with
    #[arg(long, value_name = "KEYFILE", required_unless_present = "new_key")]
    key: Option<PathBuf>,

    /// Make a key: NAME.key, to be kept secret, and NAME.pub, to be given to nodes
    #[arg(long, value_name = "NAME", conflicts_with_all = ["modules", "key"])]
    new_key: Option<PathBuf>,

    /// Make the key without a password: whoever gets at the file can sign
    #[arg(long, requires = "new_key")]
    no_password: bool,

    /// Print JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

impl Sign {
    pub(super) fn perform(self) -> Result<(), Failure> {
        match (&self.new_key, &self.key) {
            (Some(name), _) => self.create(name),
            (None, Some(key)) => self.sign(key),
            (None, None) => Err(Failure::usage("there is no key to sign with").remedy("give one with --key")),
        }
    }

    fn create(&self, name: &Path) -> Result<(), Failure> {
        let password = if self.no_password { None } else { Some(new_password()?) };
        let Pair { secret, public, key } = secret::create(name, password)?;
        if self.json {
            return output::print_json(&serde_json::json!({ "secret": secret, "public": public, "key": key }));
        }
        let [secret, public] = [secret, public].map(|path| safe::line(&path.display().to_string()).to_string());
        output::print(&format!(
            "{secret} is to be kept secret, {public} is for nodes:\n  skep run app.toml --require-signed {public}\n"
        ))
    }

    fn sign(&self, key: &Path) -> Result<(), Failure> {
        let key = opened(key)?;
        let mut signed = Vec::new();
        for module in &self.modules {
            let code = upgrade::read(module)?;
            let signature = signing::path(module);
            let text = key.sign(&code, &comment(module))?;
            std::fs::write(&signature, text)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", signature.display())))?;
            signed.push((module, signature));
        }
        if self.json {
            let line = |(module, signature)| serde_json::json!({ "module": module, "signature": signature });
            return output::print_json(&signed.into_iter().map(line).collect::<Vec<_>>());
        }
        let lines = signed.iter().map(|(_, signature)| format!("{}\n", safe::line(&signature.display().to_string())));
        output::print(&lines.collect::<String>())
    }
}

/// As minisign's: when it was signed, and the file's name.
fn comment(module: &Path) -> String {
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("timestamp:{}\tfile:{name}\thashed", now_ms() / 1000)
}

fn opened(path: &Path) -> Result<Secret, Failure> {
    let locked = Locked::read(path)?;
    match locked.without_password() {
        Some(key) => Ok(key),
        None => Ok(locked.open(password(&format!("password of {}: ", path.display()))?)?),
    }
}

fn new_password() -> Result<String, Failure> {
    let first = password("password of the new key: ")?;
    if std::io::stdin().is_terminal() && password("once more: ")? != first {
        return Err(Failure::new("the two passwords are not the same"));
    }
    if first.is_empty() {
        return Err(Failure::usage("the password is empty").remedy("for a key without a password, add --no-password"));
    }
    Ok(first)
}

fn password(prompt: &str) -> Result<String, Failure> {
    let read = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(safe::line(prompt))
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
    };
    read.map_err(|error| Failure::new(format!("cannot read the password: {error}")))
}

impl From<SigningError> for Failure {
    fn from(error: SigningError) -> Self {
        Failure::new(error.to_string()).code("signing").remedy(error.remedy())
    }
}

impl From<BadKey> for Failure {
    fn from(error: BadKey) -> Self {
        let failure = match error {
            BadKey::Malformed(_) => Failure::usage(error.to_string()),
            _ => Failure::new(error.to_string()).code("signing"),
        };
        failure.remedy(error.remedy())
    }
}
