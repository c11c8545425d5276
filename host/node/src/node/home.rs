//! The node's own folder: compile cache, sockets and locks, in a place that only its owner can enter.
//!
//! Owns where it is, that it is safe, and that two nodes never share a name. Never talks to a node: `control::client`
//! does. Used by `skep run`, which claims a name, and by every other command, which looks for one.
//!
//! ```text
//! <home>/cache/                       compiled code
//! <home>/nodes/<name>/lock            held by the node of that name
//! <home>/nodes/<name>/control.sock    where it listens
//! <home>/nodes/<name>/modules/        code that ran, for a way back
//! <home>/nodes/<name>/upgrades.jsonl  what became of each upgrade
//! <home>/nodes/<name>/audit.jsonl     who asked for what
//! <home>/nodes/<name>/tokens.json     who may ask from elsewhere
//! <home>/nodes/<name>/tls.pem         the certificate that it made, and its key
//! <home>/nodes/<name>/signers         whose code it runs, if not anybody's
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most that the system takes as a socket's path: `sun_path` has 108 bytes on Linux, the last of them zero.
const SOCKET_PATH_BYTES: usize = 107;
/// So that a name and what is around it fit into a socket's path.
const NODE_NAME_BYTES: usize = 64;

/// A node's folder, checked.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
}

/// Why the folder, or a place in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither an option nor the environment says where it is.
    #[error("there is no place for the node's folder: neither SKEP_HOME, XDG_STATE_HOME nor HOME is set")]
    Nowhere,
    /// It cannot be made or looked at.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// To create, open or read.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a folder.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// Somebody else's.
    #[error("{path} belongs to the user with id {owner}, not to you")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others can enter it.
    #[error("others can enter {path}: its mode is {mode:03o}")]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The text cannot name a node.
    #[error("bad node name `{name}`: {why}")]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The socket's path is too long for the system.
    #[error("the path of the node's socket is too long: {path} has {} bytes, and a socket's path at most {SOCKET_PATH_BYTES}", path.as_os_str().len())]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// A node of this name runs already.
    #[error("a node named `{name}` is running already{}", process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    Claimed {
        /// The name.
        name: String,
        /// Its process id, if it could be read.
        process: Option<u32>,
    },
}

impl HomeError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            HomeError::Nowhere => "give a folder with --home or SKEP_HOME".to_owned(),
            HomeError::File { .. } | HomeError::NotAFolder(_) | HomeError::NotOurs { .. } => {
                "give another folder with --home or SKEP_HOME".to_owned()
            }
            HomeError::Open { path, .. } => {
                format!("close it with `chmod 700 {}`, or give another folder with --home or SKEP_HOME", path.display())
            }
            HomeError::BadName { .. } => "choose a name such as `tally` or `node-1`".to_owned(),
            HomeError::PathTooLong { .. } => "give a folder with a shorter path with --home or SKEP_HOME".to_owned(),
            HomeError::Claimed { name, .. } => {
                format!("stop it with `skep stop --node {name}`, or give this one another name with --node")
            }
        }
    }
}

impl Home {
    /// Where the folder is: as given, else as the environment says.
    pub fn locate(given: Option<&Path>) -> Result<PathBuf, HomeError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        given
            .map(Path::to_owned)
            .or_else(|| variable("SKEP_HOME"))
            .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("skep")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/state/skep")))
            .ok_or(HomeError::Nowhere)
    }

    /// The folder, made if it is not there.
    pub fn create(path: &Path) -> Result<Self, HomeError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        private_folder(path)?;
        Self::existing(path)
    }

    /// The folder as it is.
    pub fn existing(path: &Path) -> Result<Self, HomeError> {
        let path = path.canonicalize().map_err(failed("open", path))?;
        check(&path)?;
        Ok(Home { path })
    }

    /// The folder itself, all links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where compiled code is kept.
    pub fn cache(&self) -> Result<PathBuf, HomeError> {
        let cache = self.path.join("cache");
        private_folder(&cache)?;
        Ok(cache)
    }

    /// Where the node of this name listens, if it runs.
    pub fn socket(&self, node: &str) -> Result<PathBuf, HomeError> {
        valid_node_name(node).map_err(|why| HomeError::BadName { name: node.to_owned(), why })?;
        let path = self.node_folder(node).join("control.sock");
        if path.as_os_str().len() > SOCKET_PATH_BYTES {
            return Err(HomeError::PathTooLong { path });
        }
        Ok(path)
    }

    /// The folder of the node of this name, made if it is not there.
    pub fn folder(&self, node: &str) -> Result<PathBuf, HomeError> {
        self.socket(node)?;
        private_folder(&self.path.join("nodes"))?;
        private_folder(&self.node_folder(node))?;
        Ok(self.node_folder(node))
    }

    /// Names of all nodes that have a folder here, sorted.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path.join("nodes")) else { return Vec::new() };
        let named = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = named.filter(|name| self.socket(name).is_ok()).collect();
        names.sort();
        names
    }

    /// Names of all nodes that have ever had a socket here and may still run, sorted.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        let mut names = self.known();
        names.retain(|name| self.socket(name).is_ok_and(|socket| socket.exists()));
        names
    }

    /// Takes the name, for as long as the claim lives. A socket left by a node that died is removed.
    pub fn claim(&self, node: &str) -> Result<Claim, HomeError> {
        let socket = self.socket(node)?;
        let path = self.folder(node)?.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&path).map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = lock.read_to_string(&mut text);
                return Err(HomeError::Claimed { name: node.to_owned(), process: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let written = lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()));
        written.map_err(failed("write", &path))?;
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &socket)(error)),
            _ => Ok(Claim { _lock: lock, socket }),
        }
    }

    fn node_folder(&self, node: &str) -> PathBuf {
        self.path.join("nodes").join(node)
    }
}

/// A node's name, held. Dropping it frees the name and removes the socket.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
    socket: PathBuf,
}

impl Claim {
    /// Where the node is to listen.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The node's part of the home.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.socket.parent().unwrap_or(Path::new("/"))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// The home that a node's own folder is in.
#[must_use]
pub fn home_of(folder: &Path) -> &Path {
    folder.ancestors().nth(2).unwrap_or(folder)
}

/// Whether a text can name a node: it becomes a folder, and stands before a slash in addresses.
pub fn valid_node_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Err("it must begin with a letter or a digit")
    } else if name.len() > NODE_NAME_BYTES {
        Err("it has more than 64 characters")
    } else if !name.chars().all(allowed) {
        Err("it may have letters, digits, `-`, `_` and `.` only")
    } else {
        Ok(())
    }
}

/// Makes a folder that only we can enter, if there is nothing of that name, and checks what is there.
pub(super) fn private_folder(path: &Path) -> Result<(), HomeError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("create", path)(error)),
        _ => check(path),
    }
}

fn check(path: &Path) -> Result<(), HomeError> {
    let metadata = fs::metadata(path).map_err(failed("open", path))?;
    let path = path.to_owned();
    if !metadata.is_dir() {
        Err(HomeError::NotAFolder(path))
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        Err(HomeError::NotOurs { path, owner: metadata.uid() })
    } else if metadata.mode() & 0o077 != 0 {
        Err(HomeError::Open { path, mode: metadata.mode() & 0o777 })
    } else {
        Ok(())
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::create(&folder.path().join("deep/home")).expect("a home");
        (folder, home)
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let (_keep, home) = home();
        let mode = fs::metadata(home.path()).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o750)).expect("it is ours");
        let refused = Home::create(home.path()).expect_err("others can enter");
        assert!(matches!(refused, HomeError::Open { mode: 0o750, .. }), "{refused}");
        assert!(refused.remedy().contains("chmod 700"));
    }

    #[test]
    fn a_name_is_held_by_one_node_at_a_time_and_a_dead_one_leaves_it() {
        let (_keep, home) = home();
        let claim = home.claim("tally").expect("nobody has it");
        assert_eq!(home_of(claim.folder()), home.path());
        fs::write(claim.socket(), "").expect("stands for a socket");
        assert_eq!(home.nodes(), ["tally"]);
        let refused = home.claim("tally").expect_err("it is held");
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        home.claim("other").expect("another name is free");
        drop(claim);
        assert!(home.nodes().is_empty());
        fs::write(home.socket("tally").expect("short"), "").expect("as a node that died leaves it");
        let claim = home.claim("tally").expect("the dead do not hold names");
        assert!(!claim.socket().exists());
    }

    #[test]
    fn names_and_paths_have_bounds() {
        let (_keep, home) = home();
        for bad in ["", ".", "..", "a/b", "-a", "a b", "ü", &"x".repeat(65)] {
            assert!(matches!(home.socket(bad), Err(HomeError::BadName { .. })), "{bad}");
        }
        let deep = Home::create(&home.path().join("x".repeat(90))).expect("folders may be deep");
        assert!(matches!(deep.socket("tally"), Err(HomeError::PathTooLong { .. })));
    }
}
