"""`python -m sg_train` is the command `sg-train`."""

from sg_train.cli import app

if __name__ == "__main__":
    app(prog_name="sg-train")
