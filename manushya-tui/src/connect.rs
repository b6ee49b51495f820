//! Where the daemon is and who asks: flags over environment over the configuration file, as for
//! `manushyactl`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use manushya_protocol::client::Connect;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::common::Call;

/// The longest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Socket of the daemon.
    pub socket: Option<PathBuf>,
    /// File that holds the access token.
    pub token_file: Option<PathBuf>,
    /// Tenant to work in.
    pub tenant: Option<String>,
    /// Configuration file.
    pub config: Option<PathBuf>,
}

/// Everything that is needed to connect.
#[derive(Clone, Debug)]
pub struct Target {
    /// Path of the socket.
    pub socket: PathBuf,
    /// The access token; without one the caller is who the kernel says it is.
    pub token: Option<BearerToken>,
    /// The tenant to work in.
    pub tenant: Option<String>,
    /// The folders of this installation.
    pub home: Home,
}

fn usage(message: String, reason: impl std::fmt::Display) -> WireError {
    WireError::new(ErrorCode::InvalidArgument, message).reason(reason.to_string())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Target {
    /// Works it out from flags, environment and file.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if the configuration file or the token file cannot be read.
    pub fn resolve(flags: Flags) -> Result<Self, WireError> {
        let home = Home::from_env();
        let named = flags
            .config
            .or_else(|| variable("MANUSHYA_CONFIG").map(PathBuf::from));
        let file = load(named.as_deref(), &home)?;
        let of_file = |key: &str| {
            file.get(key)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let socket = flags.socket.filter(|path| !path.as_os_str().is_empty());
        let socket = socket
            .or_else(|| variable("MANUSHYA_SOCKET").map(PathBuf::from))
            .or_else(|| of_file("socket").map(PathBuf::from))
            .unwrap_or_else(|| home.socket());
        let tenant = flags
            .tenant
            .or_else(|| variable("MANUSHYA_TENANT"))
            .or_else(|| of_file("tenant"));
        let token = match (flags.token_file, variable("MANUSHYA_TOKEN")) {
            (None, Some(text)) => Some(BearerToken::new(&text)).filter(|token| !token.is_empty()),
            (Some(path), _) => Some(read_token(&path)?),
            (None, None) => variable("MANUSHYA_TOKEN_FILE")
                .or_else(|| of_file("token_file"))
                .map(|path| read_token(Path::new(&path)))
                .transpose()?,
        };
        Ok(Self {
            socket,
            token,
            tenant,
            home,
        })
    }

    /// What a client connects with.
    pub fn connect(&self) -> Connect {
        Connect {
            client: concat!("manushya-tui/", env!("CARGO_PKG_VERSION")).to_owned(),
            token: self.token.clone(),
            timeout: PATIENCE,
            call: Call {
                tenant: self.tenant.clone(),
                ..Call::default()
            },
            ..Connect::new(self.socket.clone())
        }
    }
}

fn load(named: Option<&Path>, home: &Home) -> Result<toml::Table, WireError> {
    let paths = named.map_or_else(|| home.config_files(), |path| vec![path.to_owned()]);
    for path in paths {
        let told = format!("cannot read the configuration file `{}`", path.display());
        let length = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(_) if named.is_none() => continue,
            Err(error) => return Err(usage(told, error)),
        };
        if length > FILE_BYTES_MAX {
            return Err(usage(told, "it is too long"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| usage(told.clone(), error))?;
        return text
            .parse()
            .map_err(|error: toml::de::Error| usage(told, error.message()));
    }
    Ok(toml::Table::new())
}

fn read_token(path: &Path) -> Result<BearerToken, WireError> {
    let told = format!("cannot read the token file `{}`", path.display());
    let length = std::fs::metadata(path)
        .map_err(|error| usage(told.clone(), error))?
        .len();
    if length > limits::TOKEN_BYTES_MAX as u64 + 2 {
        return Err(usage(told, "it is too long for an access token"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| usage(told.clone(), error))?;
    let token = BearerToken::new(&text);
    if token.is_empty() {
        return Err(usage(told, "it holds no token"));
    }
    Ok(token)
}
