//! Policies without a request: a decision, and why.
//!
//! ```text
//! cargo run --example policy_check -- examples/policies/request.json \
//!     --identity examples/policies/own-orders.json --resource examples/policies/api.json
//! ```
//!
//! Those files end in a denial, by the address of the caller. The request is a file of JSON: `principal` (an ARN; without it, nobody signed), `action`, `resource`, and
//! the condition keys in `context`. Policies go with
//! `--identity`, `--boundary`, `--session`, `--authorizer` and `--resource`, each as often as need be (`--resource` once). `--json` prints the
//! explanation as data. The exit status is 0 for allowed, 1 for denied, 2 for what could not be read.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

use portcullis::auth::iam::{
    AccessRequest, CallerPolicies, ContextEntries, IdentityPolicy, Principal, ResourcePolicy,
    explain,
};
use serde::Deserialize;

const USAGE: &str = "usage: policy_check REQUEST.json [--identity|--boundary|--session|--authorizer POLICY.json]… [--resource POLICY.json] [--json]";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    principal: Option<String>,
    action: String,
    resource: String,
    /// The account that owns the resource, where its ARN does not say.
    resource_account: Option<String>,
    #[serde(default)]
    context: ContextEntries,
}

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<bool, Box<dyn Error>> {
    let (mut asked, mut as_json) = (None, false);
    let (mut caller, mut resource) = (CallerPolicies::new(), None);
    while let Some(arg) = args.next() {
        let mut file = || {
            let path = args.next().ok_or("a file is missing at the end")?;
            let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
            Ok::<_, String>((path, text))
        };
        let mut identity = || {
            let (path, text) = file()?;
            let policy =
                IdentityPolicy::parse(&text).map_err(|error| format!("{path}:\n{error}"))?;
            Ok::<_, String>(policy.with_name(path))
        };
        match &*arg {
            "--identity" => caller = caller.with_identity(identity()?),
            "--boundary" => caller = caller.with_boundary(identity()?),
            "--session" => caller = caller.with_session(identity()?),
            "--authorizer" => caller = caller.with_authorizer(identity()?),
            "--resource" => {
                let (path, text) = file()?;
                let policy = ResourcePolicy::parse(&text);
                let policy = policy.map_err(|error| format!("{path}:\n{error}"))?;
                resource = Some(policy.with_name(path));
            }
            "--json" => as_json = true,
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(true);
            }
            path if !path.starts_with('-') => {
                let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                let read = serde_json::from_str::<Asked>(&text);
                asked = Some(read.map_err(|error| format!("{path}: {error}"))?);
            }
            unknown => return Err(format!("there is no option `{unknown}`\n{USAGE}").into()),
        }
    }
    let asked = asked.ok_or("which request? name its file")?;
    let principal = match &asked.principal {
        Some(arn) => Principal::from_arn(arn)?,
        None => Principal::anonymous(),
    };
    let mut request =
        AccessRequest::new(&principal, &asked.action, &asked.resource).with_keys(&asked.context);
    if let Some(account) = &asked.resource_account {
        request = request.with_resource_account(account);
    }
    let explained = explain(&request, &caller, resource.as_ref());
    if as_json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print!("{explained}");
    }
    Ok(explained.is_allowed())
}
