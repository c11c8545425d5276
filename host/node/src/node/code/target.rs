//! Which module an operator means: a name, or `app/module`.
//!
//! Owns the search, and the words where it finds none or several.

use skep_runtime::kernel::Name;

use crate::suggest;

/// A module of an app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The app.
    pub app: Name,
    /// The module.
    pub module: Name,
}

/// `app/module`
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.app, self.module)
    }
}

/// Why no module is meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnknownModule {
    /// There is none of this name.
    #[error("there is no module named `{name}`")]
    Unknown {
        /// The text as given.
        name: String,
        /// What to do about it.
        remedy: String,
    },
    /// Several apps have one of this name.
    #[error("several apps have a module named `{name}`")]
    Ambiguous {
        /// The name.
        name: String,
        /// Those modules.
        targets: Vec<Target>,
    },
}

impl UnknownModule {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            UnknownModule::Unknown { remedy, .. } => remedy.clone(),
            UnknownModule::Ambiguous { targets, .. } => {
                let full: Vec<String> = targets.iter().map(|target| format!("`{target}`")).collect();
                format!("say which: {}", full.join(" or "))
            }
        }
    }
}

/// Which of these modules is meant by a text.
pub fn resolve(text: &str, modules: &[Target]) -> Result<Target, UnknownModule> {
    let mut named: Vec<Target> = modules.iter().filter(|target| &*target.module == text).cloned().collect();
    match named.len() {
        0 => {}
        1 => return Ok(named.remove(0)),
        _ => return Err(UnknownModule::Ambiguous { name: text.to_owned(), targets: named }),
    }
    if let Some(target) = modules.iter().find(|target| target.to_string() == text) {
        return Ok(target.clone());
    }
    // Whoever names the app wants one of its modules.
    let of_app = text.split_once('/').map(|(app, _)| app).filter(|app| modules.iter().any(|it| &*it.app == *app));
    let mut candidates: Vec<String> = match of_app {
        Some(app) => modules.iter().filter(|target| &*target.app == app).map(ToString::to_string).collect(),
        None => modules.iter().map(|target| target.module.to_string()).collect(),
    };
    candidates.sort();
    candidates.dedup();
    let remedy = suggest::remedy(text, "modules", candidates.iter().map(String::as_str));
    Err(UnknownModule::Unknown { name: text.to_owned(), remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_name_and_by_app() {
        let target = |app: &str, module: &str| Target { app: app.into(), module: module.into() };
        let modules = [target("shop", "stock"), target("shop", "till"), target("bank", "till"), target("bank", "a/b")];
        let found = |text| match resolve(text, &modules) {
            Ok(target) => target.to_string(),
            Err(error) => format!("{error}; {}", error.remedy()),
        };
        for (text, expected) in [
            ("stock", "shop/stock"),
            ("bank/till", "bank/till"),
            ("a/b", "bank/a/b"),
            ("bank/a/b", "bank/a/b"),
            ("till", "several apps have a module named `till`; say which: `shop/till` or `bank/till`"),
            ("stok", "there is no module named `stok`; did you mean `stock`?"),
            ("shop/tlil", "there is no module named `shop/tlil`; did you mean `shop/till`?"),
            ("zzzzzz", "there is no module named `zzzzzz`; the modules are `a/b`, `stock`, `till`"),
        ] {
            assert_eq!(found(text), expected);
        }
        assert_eq!(resolve("x", &[]).expect_err("there is none").remedy(), "there are no modules");
    }
}
