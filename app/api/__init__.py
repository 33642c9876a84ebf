"""One file a dialect: how other servers' clients ask, and how they want to be answered."""
