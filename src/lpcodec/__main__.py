"""`python -m lpcodec` is the `lpcodec` command."""

from lpcodec.cli.app import main

if __name__ == "__main__":
    main()
