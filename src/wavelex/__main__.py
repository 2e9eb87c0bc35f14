from wavelex.cli.app import main

main()
