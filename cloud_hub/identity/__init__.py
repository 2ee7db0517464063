"""Who is who: the site's certificate authority, enrolment tokens, and what devices reach over HTTPS."""
