//! What messages and states carry. The host never looks inside.

/// The payload of a message, an argument or a state.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// Bytes of a form that only sender and receiver know.
    Raw(Vec<u8>),
    /// MessagePack, the SDK's default.
    MessagePack(Vec<u8>),
    /// JSON, which people and all languages speak.
    Json(String),
    /// Plain text.
    Text(String),
}

/// Which body it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// [`Body::Raw`].
    Raw,
    /// [`Body::MessagePack`].
    MessagePack,
    /// [`Body::Json`].
    Json,
    /// [`Body::Text`].
    Text,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Form::Raw => "raw bytes",
            Form::MessagePack => "MessagePack",
            Form::Json => "JSON",
            Form::Text => "text",
        })
    }
}

impl Body {
    /// Which it is.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Body::Raw(_) => Form::Raw,
            Body::MessagePack(_) => Form::MessagePack,
            Body::Json(_) => Form::Json,
            Body::Text(_) => Form::Text,
        }
    }

    /// Its size in bytes, which limits and fuel are counted by.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, whatever the form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Body::Raw(bytes) | Body::MessagePack(bytes) => bytes,
            Body::Json(text) | Body::Text(text) => text.as_bytes(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Body::MessagePack(bytes) => write!(f, "MessagePack({} bytes)", bytes.len()),
            Body::Json(text) => write!(f, "Json({text})"),
            Body::Text(text) => write!(f, "Text({text:?})"),
        }
    }
}

/// All of a process that must outlive its instance, in the layout that `version` counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The layout's number, given by the guest.
    pub version: u32,
    /// The state itself.
    pub body: Body,
}

/// Which layouts and forms of state some code writes and reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// What its `save` writes.
    pub version: u32,
    /// What its `restore` reads, its own version among them.
    pub accepts: Vec<u32>,
    /// The older ones that its `save` can write as well.
    pub steps_down: Vec<u32>,
    /// The form in which its `save` writes all of them.
    pub writes: Form,
    /// The forms that its `restore` reads, its own among them.
    pub reads: Vec<Form>,
}

/// Why a state is being restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The same code, in a new instance.
    Wake,
    /// New code. The version is that of the code being left, which may be the higher one.
    Upgrade {
        /// State version that the code being left writes.
        version: u32,
        /// Whatever the operator gave along.
        extra: Option<Body>,
    },
    /// After a crash, from a checkpoint.
    Restart,
    /// On another node.
    Migrate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_show_text_and_only_the_size_of_bytes() {
        let table = [
            (Body::Raw(vec![1, 2, 3]), Form::Raw, "raw bytes", 3, "Raw(3 bytes)"),
            (Body::MessagePack(Vec::new()), Form::MessagePack, "MessagePack", 0, "MessagePack(0 bytes)"),
            (Body::Json("{}".into()), Form::Json, "JSON", 2, "Json({})"),
            (Body::Text("a\n".into()), Form::Text, "text", 2, "Text(\"a\\n\")"),
        ];
        for (body, form, name, len, shown) in table {
            assert_eq!((body.form(), form.to_string().as_str()), (form, name));
            assert_eq!((body.len(), body.is_empty(), format!("{body:?}")), (len, len == 0, shown.to_owned()));
        }
    }
}
