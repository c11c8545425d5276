//! Grants of a manifest: folders resolved to what they really are, modules that exist.
//!
//! Owns the rule that no guest gets near the node's own folder, whatever links lead there. Looks at the file system, and
//! changes nothing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use skep_runtime::kernel::Name;
use skep_runtime::kernel::directory::{Keys, valid_key};
use skep_runtime::kernel::registry::valid_name;
use skep_runtime::spec::{Access, Endpoint, FolderGrant, Grants, Network, Origin, Outside, PatternError, SpawnGrant};
use toml::Spanned;

use super::{ManifestError, Source, shape};
use crate::suggest;

/// What grants are checked against.
pub(super) struct Ground<'a> {
    /// The manifest.
    pub(super) source: &'a Source,
    /// The folder that relative paths begin at.
    pub(super) folder: &'a Path,
    /// The node's own folder, resolved.
    pub(super) home: &'a Path,
    /// The app's modules.
    pub(super) modules: &'a BTreeSet<Name>,
    /// The app's supervisors that have names.
    pub(super) supervisors: &'a BTreeSet<Name>,
    /// The app's registries.
    pub(super) registries: &'a BTreeMap<Name, Keys>,
}

impl Ground<'_> {
    pub(super) fn grants(&self, given: &shape::Grants) -> Result<Arc<Grants>, ManifestError> {
        let mut folders: Vec<FolderGrant> = Vec::new();
        let read = given.read.iter().map(|folder| (folder, Access::Read));
        let write = given.write.iter().map(|folder| (folder, Access::Write));
        for (folder, access) in read.chain(write) {
            let grant = self.folder(folder, access)?;
            if folders.iter().any(|other| other.guest == grant.guest) {
                return Err(self.source.error(
                    folder.span(),
                    format!("two folders would be `{}` in the guest", grant.guest),
                    "give each its own path in the guest; a folder under `write` can be read as well",
                ));
            }
            folders.push(grant);
        }
        let spawn = given.spawn.iter().map(|spawn| self.spawn(spawn)).collect::<Result<_, _>>()?;
        let names = |names: &[Spanned<String>]| {
            names.iter().map(|name| self.text(name, valid_name)).collect::<Result<Vec<_>, _>>()
        };
        let (register, look_up) = (names(&given.names.register)?, names(&given.names.look_up)?);
        let supervise = given.supervise.iter().map(|name| self.supervisor(name)).collect::<Result<_, _>>()?;
        let registries = given.registries.iter().map(|registry| self.registry(registry)).collect::<Result<_, _>>()?;
        let groups = given.groups.iter().map(|scope| self.text(scope, valid_name)).collect::<Result<_, _>>()?;
        let topics = given.topics.iter().map(|topic| self.text(topic, valid_key)).collect::<Result<_, _>>()?;
        let control = names(&given.control)?;
        let apps = given.apps.iter().map(|entry| self.another_app(entry)).collect::<Result<_, _>>()?;
        let network = Arc::new(self.network(given)?);
        let outside = self.outside(given)?;
        Ok(Arc::new(Grants {
            folders,
            spawn,
            register,
            look_up,
            supervise,
            supervisors: given.supervisors,
            registries,
            groups,
            topics,
            control,
            apps,
            network,
            outside,
        }))
    }

    fn spawn(&self, given: &Spanned<shape::Spawn>) -> Result<SpawnGrant, ManifestError> {
        let shape::Spawn { module, most } = given.get_ref();
        let module = self.module(&Spanned::new(given.span(), module.clone()))?;
        let most = match most {
            Some(0) => {
                let remedy = "say at least 1, or leave the module out";
                return Err(self.source.error(given.span(), "`most` cannot be 0".to_owned(), remedy));
            }
            Some(most) => usize::try_from(*most).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        Ok(SpawnGrant { module, most })
    }

    /// Another app, or a name in it. Whether there is such an app shows when somebody goes there.
    fn another_app(&self, given: &Spanned<String>) -> Result<Name, ManifestError> {
        let entry = given.get_ref();
        let (app, name) = entry.split_once('/').unwrap_or((entry, "*"));
        match valid_name(app).and_then(|()| valid_name(name)) {
            Ok(()) => Ok(entry.as_str().into()),
            Err(why) => {
                let remedy =
                    "say the name of an app (\"shop\"), or of processes in it (\"shop/stock\", \"shop/desk:*\")";
                Err(self.source.error(given.span(), format!("`{entry}` is no app: {why}"), remedy))
            }
        }
    }

    /// Whom it may talk to over the network.
    fn network(&self, given: &shape::Grants) -> Result<Network, ManifestError> {
        Ok(Network {
            tcp: self.patterns(&given.tcp, Endpoint::parse)?,
            udp: self.patterns(&given.udp, Endpoint::parse)?,
            http: self.patterns(&given.http, Origin::parse)?,
        })
    }

    fn patterns<T>(
        &self,
        given: &[Spanned<String>],
        parse: fn(&str) -> Result<T, PatternError>,
    ) -> Result<Vec<T>, ManifestError> {
        let read = |text: &Spanned<String>| {
            parse(text.get_ref()).map_err(|error| {
                let problem = error.to_string().escape_debug().to_string();
                self.source.error(text.span(), problem, error.remedy())
            })
        };
        given.iter().map(read).collect()
    }

    /// What it sees of the outside beside folders.
    fn outside(&self, given: &shape::Grants) -> Result<Outside, ManifestError> {
        let mut env = BTreeMap::new();
        for (name, variable) in &given.env {
            if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
                let problem = format!("`{}` is no name of a variable", name.get_ref().escape_debug());
                return Err(self.source.error(
                    name.span(),
                    problem,
                    "a name has neither `=` nor NUL in it, such as LANG",
                ));
            }
            if let shape::Variable::Value(text) = variable.get_ref() {
                self.without_nul(text, variable.span())?;
            }
            env.insert(name.get_ref().clone(), variable.get_ref().into());
        }
        for argument in &given.argv {
            self.without_nul(argument.get_ref(), argument.span())?;
        }
        let argv = given.argv.iter().map(|argument| argument.get_ref().clone()).collect();
        Ok(Outside { env, argv, clocks: given.clocks.into(), random: given.random.0 })
    }

    /// A program in C would take NUL for the end.
    fn without_nul(&self, text: &str, span: Range<usize>) -> Result<(), ManifestError> {
        match text.contains('\0') {
            true => Err(self.source.error(span, "a NUL in a text for a program", "leave it out")),
            false => Ok(()),
        }
    }

    /// The app's supervisor of this name.
    fn supervisor(&self, name: &Spanned<String>) -> Result<Name, ManifestError> {
        let wanted = name.get_ref().as_str();
        self.supervisors.get(wanted).cloned().ok_or_else(|| {
            let known = self.supervisors.iter().map(|known| &**known);
            let way_out = "; a supervisor has a `name` beside its `id`";
            let remedy = suggest::remedy_or(wanted, "supervisors with a name", known, way_out);
            self.source.error(name.span(), format!("no supervisor is called `{wanted}`"), remedy)
        })
    }

    /// The app's registry of this name.
    fn registry(&self, name: &Spanned<String>) -> Result<Name, ManifestError> {
        let wanted = name.get_ref().as_str();
        self.registries.get_key_value(wanted).map(|(name, _)| Arc::clone(name)).ok_or_else(|| {
            let known = self.registries.keys().map(|known| &**known);
            let way_out = format!("; or declare it: [registries] with {wanted} = \"unique\" or \"duplicate\"");
            let remedy = suggest::remedy_or(wanted, "registries", known, &way_out);
            self.source.error(name.span(), format!("unknown registry `{wanted}`"), remedy)
        })
    }

    /// A name that needs no declaration.
    fn text(
        &self,
        given: &Spanned<String>,
        valid: fn(&str) -> Result<(), &'static str>,
    ) -> Result<Name, ManifestError> {
        match valid(given.get_ref()) {
            Ok(()) => Ok(given.get_ref().as_str().into()),
            Err(why) => Err(self.source.error(given.span(), format!("bad name: {why}"), "choose another name")),
        }
    }

    /// The app's module of this name.
    pub(super) fn module(&self, name: &Spanned<String>) -> Result<Name, ManifestError> {
        let wanted = name.get_ref().as_str();
        self.modules.get(wanted).cloned().ok_or_else(|| {
            let known = self.modules.iter().map(|known| &**known);
            let way_out = format!("; or add a section [modules.{wanted}]");
            let remedy = suggest::remedy_or(wanted, "modules", known, &way_out);
            self.source.error(name.span(), format!("unknown module `{wanted}`"), remedy)
        })
    }

    fn folder(&self, given: &Spanned<shape::Folder>, access: Access) -> Result<FolderGrant, ManifestError> {
        let shape::Folder { host, guest } = given.get_ref();
        let error = |problem: String, remedy: &str| Err(self.source.error(given.span(), problem, remedy));
        if !names_a_folder(guest) {
            return error(
                format!("`{guest}` is no path for a guest"),
                "give an absolute path without `.` and `..`, such as \"./data:/input\"",
            );
        }
        let path = self.folder.join(host);
        let real = match path.canonicalize() {
            Ok(real) if real.is_dir() => real,
            Ok(_) => return error(format!("{} is not a folder", path.display()), "grant the folder that it is in"),
            Err(why) => {
                let remedy = "create the folder; a relative path begins at the manifest's folder";
                return error(format!("cannot grant {}: {why}", path.display()), remedy);
            }
        };
        self.apart_from_home(&real, given.span())?;
        Ok(FolderGrant { host: real, guest: guest.clone(), access })
    }

    /// A file for the input of a command.
    pub(super) fn file(&self, path: &str, span: Range<usize>) -> Result<PathBuf, ManifestError> {
        let path = self.folder.join(path);
        let error = |problem: String| {
            let remedy = "give a file that is there; a relative path begins at the manifest's folder";
            Err(self.source.error(span.clone(), problem, remedy))
        };
        match path.canonicalize() {
            Ok(real) if real.is_file() => {
                self.apart_from_home(&real, span.clone())?;
                Ok(real)
            }
            Ok(_) => error(format!("{} is no file", path.display())),
            Err(why) => error(format!("cannot read {}: {why}", path.display())),
        }
    }

    /// Refuses what is within the node's own folder, or around it.
    fn apart_from_home(&self, real: &Path, span: Range<usize>) -> Result<(), ManifestError> {
        if real.starts_with(self.home) || self.home.starts_with(real) {
            return Err(self.source.error(
                span,
                format!("{} overlaps the node's own folder {}", real.display(), self.home.display()),
                "grant another folder, or move the node's with --home or SKEP_HOME",
            ));
        }
        Ok(())
    }
}

/// Whether a guest can have a folder of this name.
fn names_a_folder(guest: &str) -> bool {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    guest.starts_with('/') && Path::new(guest).components().all(plain) && !guest.chars().any(char::is_control)
}

/// A path with all links followed, as far as it exists; what is missing is appended as it is.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        missing.extend(ancestor.file_name());
    }
    absolute
}
