"""People: their accounts, what each may do at which site, and how they prove who they are."""
