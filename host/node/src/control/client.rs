//! Asks a node that runs.
//!
//! Owns finding the node and one connection for each request: over the socket in its folder, or over TLS. Never formats for
//! people. Called by the command.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::protocol::Problem;
use super::tls::Trust;
use crate::node::home::{Home, HomeError};

mod elsewhere;

use elsewhere::Elsewhere;
pub use elsewhere::{ElsewhereError, is_address};

/// What a request travels over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A node that could be reached.
#[derive(Clone, Debug)]
pub struct Client {
    node: String,
    way: Way,
}

/// How to get there.
#[derive(Clone, Debug)]
enum Way {
    Socket(PathBuf),
    Tls(Elsewhere),
}

/// Why a node did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Nobody listens under this name.
    #[error("node `{node}` is not running{}", if *left_socket { " (it died and left its socket behind)" } else { "" })]
    NotRunning {
        /// The name.
        node: String,
        /// Whether there is a socket where it listened.
        left_socket: bool,
        /// The nodes that run.
        running: Vec<String>,
    },
    /// No node runs.
    #[error("no node is running in {}", home.display())]
    NoneRunning {
        /// Where was looked.
        home: PathBuf,
    },
    /// Several nodes run, and none was chosen.
    #[error("several nodes are running: {}", nodes.join(", "))]
    Several {
        /// Their names.
        nodes: Vec<String>,
    },
    /// The socket is there, and cannot be used.
    #[error("cannot reach node `{node}`: {why}")]
    Unreachable {
        /// The name.
        node: String,
        /// What the system said.
        why: io::Error,
    },
    /// A node elsewhere cannot be asked so.
    #[error(transparent)]
    Elsewhere(#[from] ElsewhereError),
    /// It went away, or said something that is not the API.
    #[error("node `{node}` did not answer: {why}")]
    Lost {
        /// The name.
        node: String,
        /// What happened.
        why: String,
    },
    /// It refused.
    #[error("{}", .0.message)]
    Refused(Problem),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            ClientError::Home(error) => Some(error.remedy()),
            ClientError::Elsewhere(error) => Some(error.remedy().to_owned()),
            ClientError::NotRunning { node, running, .. } if running.is_empty() => {
                Some(format!("start it with `skep run app.toml --node {node}`"))
            }
            ClientError::NotRunning { running, .. } => Some(format!("these are running: {}", running.join(", "))),
            ClientError::NoneRunning { .. } => Some(
                "start one with `skep run app.toml`; one with another folder is found by --home or SKEP_HOME"
                    .to_owned(),
            ),
            ClientError::Several { nodes } => {
                Some(format!("choose one, such as `--node {}`", nodes.first().map_or("NAME", String::as_str)))
            }
            ClientError::Unreachable { node, .. } if elsewhere::is_address(node) => Some(
                "is it the address that `skep run --listen` says, and the fingerprint? `skep run` says both when it starts"
                    .to_owned(),
            ),
            ClientError::Unreachable { .. } => Some("is it your node? only who started it can talk to it".to_owned()),
            ClientError::Lost { .. } => Some("see what the node itself printed; `skep run` starts it again".to_owned()),
            ClientError::Refused(problem) => problem.remedy.clone(),
        }
    }
}

impl Client {
    /// The node of this name, or the only one that runs.
    pub async fn find(home: &Path, node: Option<&str>) -> Result<Self, ClientError> {
        if !home.exists() {
            return Err(match node {
                Some(node) => {
                    ClientError::NotRunning { node: node.to_owned(), left_socket: false, running: Vec::new() }
                }
                None => ClientError::NoneRunning { home: home.to_owned() },
            });
        }
        let home = Home::existing(home)?;
        if let Some(node) = node {
            let client = Client { node: node.to_owned(), way: Way::Socket(home.socket(node)?) };
            return match client.connect().await {
                Ok(_) => Ok(client),
                Err(ClientError::NotRunning { node, left_socket, .. }) => {
                    Err(ClientError::NotRunning { node, left_socket, running: running(&home).await })
                }
                Err(error) => Err(error),
            };
        }
        let mut nodes = running(&home).await;
        match nodes.len() {
            0 => Err(ClientError::NoneRunning { home: home.path().to_owned() }),
            1 => {
                let node = nodes.remove(0);
                Ok(Client { way: Way::Socket(home.socket(&node)?), node })
            }
            _ => Err(ClientError::Several { nodes }),
        }
    }

    /// A node that listens at `https://host:port`.
    pub fn elsewhere(address: &str, token: String, trust: &Trust) -> Result<Self, ClientError> {
        Ok(Client { node: address.to_owned(), way: Way::Tls(Elsewhere::new(address, token, trust)?) })
    }

    /// The node's name, or its address.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read(self.open(Method::GET, path, Bytes::new()).await?).await
    }

    /// Sends something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.lost(error))?;
        self.read(self.open(Method::POST, path, body.into()).await?).await
    }

    /// Asks for lines, and hands over each as it comes, until the node ends them or `each` has enough.
    pub async fn lines<E: From<ClientError>>(
        &self,
        path: &str,
        each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(self.open(Method::GET, path, Bytes::new()).await?, each).await
    }

    /// Sends bytes, and hands over each line of the answer as it comes, until the node ends them.
    pub async fn post_lines<E: From<ClientError>>(
        &self,
        path: &str,
        bytes: Vec<u8>,
        each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(self.open(Method::POST, path, bytes.into()).await?, each).await
    }

    async fn each<E: From<ClientError>>(
        &self,
        response: Response<Incoming>,
        mut each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut body = response.into_body();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.lost(error))?;
            let Some(data) = frame.data_ref() else { continue };
            rest.extend_from_slice(data);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                each(String::from_utf8_lossy(&line).trim_end())?;
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        let connected: io::Result<Box<dyn Stream>> = match &self.way {
            Way::Socket(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as _),
            Way::Tls(elsewhere) => elsewhere.connect().await.map(|stream| Box::new(stream) as _),
        };
        connected.map_err(|why| match (&self.way, why.kind()) {
            (Way::Socket(_), io::ErrorKind::NotFound) => self.not_running(false),
            (Way::Socket(_), io::ErrorKind::ConnectionRefused) => self.not_running(true),
            _ => ClientError::Unreachable { node: self.node.clone(), why },
        })
    }

    fn not_running(&self, left_socket: bool) -> ClientError {
        ClientError::NotRunning { node: self.node.clone(), left_socket, running: Vec::new() }
    }

    fn lost(&self, why: impl ToString) -> ClientError {
        ClientError::Lost { node: self.node.clone(), why: why.to_string() }
    }

    /// The response, if it is none of refusal.
    async fn open(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|error| self.lost(error))?;
        // Ends with the sender or the node; what went wrong is told to the sender.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "skep")
            .header("content-type", "application/json");
        if let Way::Tls(elsewhere) = &self.way {
            request = request.header("authorization", elsewhere.authorization.clone());
        }
        let request = request.body(Full::new(body)).map_err(|error| self.lost(error))?;
        let response = sender.send_request(request).await.map_err(|error| self.lost(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(ClientError::Refused(self.read(response).await?))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, ClientError> {
        let bytes = response.into_body().collect().await.map_err(|error| self.lost(error))?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| self.lost(error))
    }
}

/// Names of the nodes that accept a connection.
async fn running(home: &Home) -> Vec<String> {
    let mut running = Vec::new();
    for node in home.nodes() {
        if let Ok(socket) = home.socket(&node)
            && UnixStream::connect(&socket).await.is_ok()
        {
            running.push(node);
        }
    }
    running
}
