"""The smallest possible Typer app, to measure how long one takes to start."""

import typer

app = typer.Typer()


@app.command()
def main() -> None:
    pass


if __name__ == "__main__":
    app()
