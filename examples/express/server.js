// A back end that trusts the access tokens of loguserapp.

import express from "express";

import { tokenRequired } from "./loguserapp.js";

const app = express();
app.disable("x-powered-by");

// Answers those who are logged in; `req.user` is the number of the account, as text.
app.get("/resource", tokenRequired, (req, res) => {
  res.json({ message: "akses sukses", user: req.user });
});

const port = Number(process.env.PORT ?? 8004);
const host = process.env.HOST ?? "127.0.0.1";
app.listen(port, host, (error) => {
  if (error) throw error;
  console.log(`http://${host}:${port}/resource`);
});
