// SPDX-License-Identifier: MPL-2.0
//! A running line, asked in the name of whoever types.

use andon_control::{
    client::Client,
    reply::{Element, Hello},
    request::Request,
};
use anyhow::{Context, Result};
use serde_json::Value;

use super::target::Target;

/// The name of whoever asks, and the reason.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// Who.
    pub who: String,
    /// Why.
    pub why: Option<String>,
}

/// A connection to a running line.
pub struct Line {
    client: Client,
    asker: Asker,
}

impl Line {
    /// Connects to the line that is meant.
    ///
    /// # Errors
    /// No such line, or one that does not answer or speaks another protocol.
    pub fn connect(target: &Target, asker: Asker) -> Result<Self> {
        Ok(Self { client: Client::connect(target.find()?)?, asker })
    }

    /// Connects to the line of that name again, which may have been started anew.
    ///
    /// # Errors
    /// Those of [`Self::connect`].
    pub fn connect_again(target: &Target, name: &str, asker: Asker) -> Result<Self> {
        Ok(Self { client: Client::connect(target.find_again(name)?)?, asker })
    }

    /// What the line said first.
    pub fn hello(&self) -> &Hello {
        self.client.hello()
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the line says, or that it is gone.
    pub fn ask(&mut self, request: &Request) -> Result<Value> {
        let Asker { who, why } = &self.asker;
        Ok(self.client.ask(request, Some(who), why.as_deref())?)
    }

    /// The elements of the line, with properties and actions if `describe`.
    ///
    /// # Errors
    /// Those of [`Self::ask`], and an answer that is of another protocol.
    pub fn elements(&mut self, describe: bool) -> Result<Vec<Element>> {
        let answer = self.ask(&Request::Elements { describe })?;
        serde_json::from_value(answer).context("the line answers what this program does not understand")
    }

    /// The connection, for what comes by itself.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
